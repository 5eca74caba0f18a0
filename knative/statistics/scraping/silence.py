"""Whether nobody at all answers scrapes: a network policy, a mesh, another port, and not a pod."""

SILENT_S = 10.0  # s without any answer: longer than pods take to go


class Silence:
    """Hears of every scrape; reads no clock."""

    def __init__(self) -> None:
        self._since_s: float | None = None  # of the first scrape that failed since one succeeded
        self.fault = ""  # "" = somebody answers, or there is nobody to ask

    def heard(self) -> None:
        """A scrape was answered, or there is nobody to ask."""
        self._since_s, self.fault = None, ""

    def missed(self, key: str, now: float) -> None:
        """A scrape of a revision with ready pods failed. now: s of any clock."""
        if self._since_s is None:
            self._since_s = now
        if now - self._since_s >= SILENT_S:
            self.fault = (
                f"no pod of any revision answers, {key} among them; "
                "deciding on what activators report"
            )
