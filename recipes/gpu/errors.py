"""How the recipes' commands fail: one sentence, exit code 2."""

import sys
from collections.abc import Callable


class RecipeError(ValueError):
    """What a command cannot do; the message is one sentence for the user."""


def ending(main: Callable[[], None], errors: tuple[type[Exception], ...] = ()) -> None:
    """Runs a command; what the user can mend is said in one sentence.

    Args:
        main: the command.
        errors: further errors whose message is such a sentence.
    """
    try:
        main()
    except (RecipeError, *errors) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
