# The app in a container, on the demonstration results; data goes to a volume.
#
#   docker build -t fewshot-workbench .
#   docker run --rm -p 127.0.0.1:8501:8501 -v fewshot-data:/data fewshot-workbench
#
# It is then at http://127.0.0.1:8501, and only there: keep 127.0.0.1 in -p, the app has no log-in.
# Other commands: docker run --rm -v fewshot-data:/data fewshot-workbench fewshot doctor

FROM python:3.11-slim

# The font of exported figures.
RUN apt-get update && apt-get install -y --no-install-recommends fonts-liberation \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 workbench \
    && install --directory --owner=workbench /data

WORKDIR /src
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

COPY pyproject.toml hatch_build.py README.md LICENSE CITATION.cff app.py ./
COPY .streamlit ./.streamlit
COPY pages ./pages
COPY docs ./docs
COPY data/demo ./data/demo
COPY fewshot_core ./fewshot_core
RUN pip install --no-cache-dir --no-deps .

USER workbench
WORKDIR /home/workbench
ENV FEWSHOT_DATA_DIR=/data
VOLUME /data
EXPOSE 8501
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health')"]
CMD ["fewshot", "app", "--address", "0.0.0.0"]
