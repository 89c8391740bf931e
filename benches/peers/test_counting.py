"""What the figures rest on: that ballots are checked, counted right, and durable before they count."""

import tempfile
import unittest
from contextlib import closing
from pathlib import Path

from .ballots import CHECK, WORKERS, BadBallot, Ballot, Register, Signing, Task, Voter, evaluate
from .ledger import Ledger
from .majority import Decision, MajorityCount, NoMajority


class Counting(unittest.TestCase):
    """Three voters and one who counts."""

    def setUp(self) -> None:
        self.task = Task(7, [CHECK, "1 == 2"])
        self.voters = [Voter(worker) for worker in range(WORKERS)]

    def count(self, signing: Signing) -> MajorityCount:
        """A count that awaits the ballots for the task."""
        count = MajorityCount(Register([voter.public_key() for voter in self.voters], signing))
        count.open(self.task)
        return count

    def ballots(self, signing: Signing) -> list[Ballot]:
        """What the voters cast."""
        return [voter.cast(*self.task, signing) for voter in self.voters]

    def test_two_that_agree_decide_and_the_third_comes_late(self) -> None:
        for signing in Signing:
            count = self.count(signing)
            first, second, third = self.ballots(signing)
            self.assertIsNone(count.count(first))
            self.assertEqual(count.count(third), Decision(7, [True, False], [first, third]))
            self.assertIsNone(count.count(second))
            self.assertEqual((len(count), count.late, count.dissents), (0, 1, 0))

    def test_one_that_dissents_is_noticed_whenever_it_comes(self) -> None:
        for place in range(WORKERS):
            count = self.count(Signing.NONE)
            values = [[True, False]] * WORKERS
            values[place] = [True, True]
            decided = [count.count((worker, 7, values[worker], [])) for worker in range(WORKERS)]
            self.assertEqual([made.values for made in decided if made], [[True, False]])
            self.assertEqual(count.dissents, 1)

    def test_three_that_disagree_decide_nothing(self) -> None:
        count = self.count(Signing.NONE)
        count.count((0, 7, [True, True], []))
        count.count((1, 7, [True, False], []))
        with self.assertRaises(NoMajority):
            count.count((2, 7, [False, False], []))

    def test_a_ballot_that_was_changed_copied_or_cast_twice_is_refused(self) -> None:
        for signing in [Signing.TASK, Signing.CHECK]:
            worker, number, values, signatures = self.ballots(signing)[0]
            bad: list[Ballot] = [
                (worker, number, [True, True], signatures),
                (worker + 1, number, values, signatures),
                (worker, number, values, signatures[:-1]),
                (worker, number, values[:-1], signatures),
                (worker, number + 1, values, signatures),
                (WORKERS, number, values, signatures),
            ]
            for ballot in bad:
                with self.assertRaises(BadBallot):
                    self.count(signing).count(ballot)
            count = self.count(signing)
            count.count((worker, number, values, signatures))
            with self.assertRaises(BadBallot):
                count.count((worker, number, values, signatures))

    def test_a_ledger_gives_back_what_it_wrote(self) -> None:
        ballots = self.ballots(Signing.TASK)[:2]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ledger"
            with closing(Ledger(file)) as ledger:
                decision = Decision(7, [True, False], ballots)
                ledger.append([decision])
                self.assertEqual(ledger.durable(wait=True), [decision])
                self.assertEqual(ledger.groups, 1)
                written = file.read_text()
            self.assertEqual(written.split("\t")[:2], ["7", "10"])
            self.assertIn(ballots[1][3][0].hex(), written)

    def test_only_plain_arithmetic_is_evaluated(self) -> None:
        self.assertIs(evaluate("(7 - 2) * 3 // 2 % 4 != 3"), False)
        for text in ["2 ** 9 == 512", "exit()", "[1]", "1 == 1 " + " " * 200, "().__class__"]:
            with self.assertRaises(ValueError):
                evaluate(text)


if __name__ == "__main__":
    unittest.main()
