"""A CLIProxyAPI server to test against: every release's management API and records, on a real socket.

with FakeCPA(profile="7.2.140", management_key="mgmt-FAKE-0001") as cpa:
    dave = cpa.credentials.add_oauth("codex", "dave@example.com", plan="plus")
    cpa.emit(dave, "gpt-5.4", tokens=Tokens(uncached=2048, cache_read=15360, output=378, reasoning=832))
    ...  # read cpa.base_url
"""

from __future__ import annotations

from tests.fake_cpa.attempt import Attempt
from tests.fake_cpa.fake import FakeCPA
from tests.fake_cpa.instance import Emitted
from tests.fake_cpa.tokens import Tokens

__all__ = ["Attempt", "Emitted", "FakeCPA", "Tokens"]
