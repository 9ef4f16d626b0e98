"""Store paths as Nix computes them; the expected ones were printed by `nix-store --print-fixed-path`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "nix/debian"))

from storepath import fixed_output_path

DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_flat():
    assert fixed_output_path("empty", DIGEST) == "/nix/store/1q82x5ah029adc0r5p06p3ivlzzh3hss-empty"


def test_recursive():
    expected = "/nix/store/h4wkqbs2i5dz1hjn4cwxjzpcn7fhilaq-empty"
    assert fixed_output_path("empty", DIGEST, recursive=True) == expected
