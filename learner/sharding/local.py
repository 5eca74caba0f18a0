"""Tasks in threads of this process."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from joblib import Parallel, delayed

from learner.sharding.shard import Answer, Asked, answer


class Local:
    """As many at once as there are processors."""

    def answers(self, asked: Sequence[Asked]) -> list[Answer]:
        """`answer` to each."""
        if len(asked) == 1:  # its own calls of joblib then have all processors
            return [answer(asked[0])]
        return list(Parallel(n_jobs=-1, prefer="threads")(delayed(answer)(one) for one in asked))

    def fitting(self) -> AbstractContextManager[object]:
        """Joblib's calls ask for threads by themselves."""
        return nullcontext()
