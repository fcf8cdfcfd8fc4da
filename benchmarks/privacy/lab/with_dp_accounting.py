"""Google's `dp-accounting` on the same releases, in an environment of its own, to check the accountant by another."""

import argparse
import json

import dp_accounting
from dp_accounting.pld import PLDAccountant


def main() -> None:
    """Print the epsilon of all releases together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--noise", type=float, nargs="+", required=True, help="noise multiplier of each release")
    parser.add_argument("--delta", type=float, required=True)
    arguments = parser.parse_args()
    accountant = PLDAccountant(dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    for noise in arguments.noise:
        accountant.compose(dp_accounting.GaussianDpEvent(noise))
    print(json.dumps(accountant.get_epsilon(arguments.delta)))


if __name__ == "__main__":
    main()
