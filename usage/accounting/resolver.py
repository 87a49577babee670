"""Which channel and account a record means: the four rules of contract H."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

AUTH_FILES = "auth-files"
OPENAI_COMPATIBILITY = "openai-compatibility"
COMPATIBLE_PREFIX = "openai-compatible-"


class Match(enum.StrEnum):
    """By what a record was resolved (`Source.Match`)."""

    AUTH_INDEX = "auth_index"
    SOURCE = "source"
    BY_HAND = "by_hand"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Credential:
    """A login or key that the server lists, or once listed (`removed`).

    `names` are the digests of all that a record's `source` may say of it: its key, e-mail, file, project, also masked.
    """

    account_id: int
    channel_id: int
    listed_in: str
    provider: str
    auth_index: str
    names: frozenset[bytes]
    removed: bool = False

    def fits(self, provider: str) -> bool:
        """Whether a record of `provider` may come from this credential."""
        return provider.lower().removeprefix(COMPATIBLE_PREFIX) == self.provider


@dataclass(frozen=True, slots=True)
class Clue:
    """What a record shows of its credential; `source` is a digest, empty where it is only the client's own key."""

    provider: str
    auth_index: str
    source: bytes


@dataclass(frozen=True, slots=True)
class Resolution:
    """The channel and the account, each None where the clue does not decide it; `like` is a credential that fits."""

    match: Match
    channel_id: int | None = None
    account_id: int | None = None
    like: Credential | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it was tried: which credentials it found, which were left, and what that decides, if anything."""

    match: Match
    found: list[Credential]
    left: list[Credential]
    resolution: Resolution | None


_UNKNOWN = Resolution(Match.UNKNOWN)


class Resolver:
    """The rules over the credentials of one instance."""

    def __init__(self, credentials: Iterable[Credential]) -> None:
        self._by_index: defaultdict[str, list[Credential]] = defaultdict(list)
        self._by_name: defaultdict[bytes, list[Credential]] = defaultdict(list)
        for credential in credentials:
            if credential.auth_index:
                self._by_index[credential.auth_index].append(credential)
            for name in credential.names:
                self._by_name[name].append(credential)

    def resolve(self, clue: Clue) -> Resolution:
        return next((rule.resolution for rule in self.tried(clue) if rule.resolution), _UNKNOWN)

    def tried(self, clue: Clue) -> Iterator[Rule]:
        """Yield the rules in the order in which they are tried: the first that decides anything counts."""
        yield self._rule(Match.AUTH_INDEX, self._indexed(clue), clue)
        yield self._rule(Match.SOURCE, self._by_name.get(clue.source, []) if clue.source else [], clue)

    def _indexed(self, clue: Clue) -> list[Credential]:
        """Rules 1 and 2: an auth file before a key, if both should have one index."""
        found = self._by_index.get(clue.auth_index, []) if clue.auth_index else []
        return _prefer(found, lambda credential: credential.listed_in == AUTH_FILES)

    def _rule(self, match: Match, found: list[Credential], clue: Clue) -> Rule:
        """Narrow several down by what still exists, the provider, and the source; what stays open is left open."""
        left = _prefer(found, lambda credential: not credential.removed)
        left = _prefer(left, lambda credential: credential.fits(clue.provider))
        left = _prefer(left, lambda credential: clue.source in credential.names)
        channels = {credential.channel_id for credential in left}
        if len(channels) != 1:
            return Rule(match, found, left, None)
        account = left[0].account_id if len(left) == 1 else None
        return Rule(match, found, left, Resolution(match, channels.pop(), account, left[0]))


def _prefer(found: list[Credential], wanted: Callable[[Credential], bool]) -> list[Credential]:
    return [credential for credential in found if wanted(credential)] or found


def unknown_channel(provider: str) -> str:
    """Rule 4: the channel's name as far as the record itself tells it; it leads the source's name on every page."""
    return provider.removeprefix(COMPATIBLE_PREFIX) or "unknown"
