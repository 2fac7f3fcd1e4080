"""How a command line is parsed: groups and commands; knows none by name.

What is wrong with a command line is one sentence, told before anything heavy is imported.
"""

import math
import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from makesomenoise.cli.errors import told
from makesomenoise.cli.terminal import INTERRUPTED, steady

HELP = {"help_option_names": ["-h", "--help"]}


class Command(TyperCommand):
    """Refuses numbers that are not finite, whatever option they are for, and names the argument that is missing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses what follows the command's name."""
        words = self._completed(args)
        try:
            rest = super().parse_args(ctx, list(words))
        except typer.BadParameter as error:
            self._explain(ctx, words, error)
            raise
        for parameter in self.params:
            value = ctx.params.get(parameter.name or "")
            if isinstance(value, float) and not math.isfinite(value):
                option = parameter.opts[0]
                raise typer.BadParameter(f"{value} is not a number to work with; give a finite one.", ctx, None, option)
        return rest

    def _completed(self, args: list[str]) -> list[str]:
        """The words, with an empty value behind each option that may stand alone: whose metavar is in brackets."""
        alone = {name for p in self.params if (getattr(p, "metavar", None) or "").startswith("[") for name in p.opts}
        words = []
        for place, word in enumerate(args):
            words.append(word)
            if word in alone and (place + 1 == len(args) or args[place + 1].startswith("-")):
                words.append("")
        return words

    def _explain(self, ctx: Any, words: list[str], error: Any) -> None:
        """Names the value that was given, and the argument that is missing.

        Of `INPUTS... OUTPUT` a single word is taken for OUTPUT; whoever typed it left OUTPUT out.
        """
        given, _, _ = self.make_parser(ctx).parse_args(words)
        value = error.param and given.get(error.param.name or "")
        if isinstance(value, str) and not re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", error.message):
            error.message = f"{error.message.rstrip('.')}; got {value}"
        later = [p for p in self.params if p.param_type_name == "argument" and p is not error.param]
        if value is None and later and getattr(error.param, "nargs", 1) == -1 and given.get(later[-1].name or ""):
            error.param = later[-1]


class Commands(TyperGroup):
    """Commands under one name, which alone explains them; errors that are meant for users are one sentence."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Parses and runs a command line, and ends the program."""
        with steady():
            return super().main(*args, **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses what stands before the command's name; nothing at all asks for help."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parses the options of the group."""
        with told(lambda: info_name or "msn"):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Parses and runs the command that was asked for."""
        # Which command it is, is known only once parsing has begun.
        with told(lambda: " ".join((ctx.command_path, ctx.invoked_subcommand or "")).strip()):
            try:
                return super().invoke(ctx)
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None


def parse_strictly(app: typer.Typer) -> None:
    """Makes all commands of an application, and of the groups in it, parse as those of this module do."""
    for command in app.registered_commands:
        command.cls, command.context_settings = Command, HELP
    for group in app.registered_groups:
        group.cls = Commands
        if group.typer_instance is not None:
            parse_strictly(group.typer_instance)
