"""The synthetic curriculum: generators of conversations, each with a held-out side by construction."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
