"""Times in words."""


def duration_text(seconds: float) -> str:
    """Return a time rounded sensibly: "40 s", "3 min", "2.5 h"."""
    if seconds < 0.95:
        return "less than a second"
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
