"""``python -m fewshot_core`` is the same as the command ``fewshot``."""

from fewshot_core.cli.app import main

if __name__ == "__main__":
    main()
