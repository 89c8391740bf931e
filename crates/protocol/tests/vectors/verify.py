#!/usr/bin/env python3
"""An independent verifier of Quorate certificates, written from docs/certificate.md alone.

    pip install blake3 msgpack cryptography
    python3 verify.py certificate.quorate

It makes every check of that page for jobs of decimal digits and of expressions, and prints what it found. It is an
example: short, and without the bounds that a program which faces strangers needs.
"""

import re
import sys
import tomllib
from fractions import Fraction

import msgpack
from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NO_OUTCOME = 0xFFFFFFFF
RANGE_VALUES, KERNEL_RANGE_VALUES = 1 << 18, 1 << 22


class Fault(Exception):
    """Why the certificate is not accepted."""


def demand(condition, reason):
    if not condition:
        raise Fault(reason)


def derive(context, data):
    return blake3(data, derive_key_context="quorate 2026 " + context).digest()


def encode(value):
    return msgpack.packb(value)


def decode(data):
    value = msgpack.unpackb(data, strict_map_key=False)
    demand(encode(value) == data, "a part is not in its canonical encoding")
    return value


def signed(key, signature, digest):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, digest)
        return True
    except (InvalidSignature, ValueError):
        return False


def leaf(data):
    return blake3(b"\x00" + data).digest()


def node(left, right):
    return blake3(b"\x01" + left + right).digest()


def split(leaves):
    half = 1
    while half * 2 < leaves:
        half *= 2
    return half


class Input:
    """The bytes as they come."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        demand(self.at + count <= len(self.data), "the certificate is cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self):
        return int.from_bytes(self.take(4), "big")

    def part(self):
        return self.take(self.number())


def root_of(start, end, entries, digests):
    """The root over the leaves start .. end, from the entries there and the digests between them."""
    if not any(start <= position < end for position in entries):
        demand(digests, "a digest is missing")
        return digests.pop(0)
    if end - start == 1:
        return leaf(entries[start])
    middle = start + split(end - start)
    left = root_of(start, middle, entries, digests)
    return node(left, root_of(middle, end, entries, digests))


def in_bundle(digest, bundle):
    """The signed digest of a ballot in a bundle."""
    (size, root), (position, siblings) = bundle
    demand(position < size <= 1 << 16, "a ballot is not in its bundle")

    def climb(position, size, siblings):
        if size == 1:
            demand(not siblings, "a path is too long")
            return leaf(digest)
        demand(siblings, "a path is too short")
        half = split(size)
        if position < half:
            return node(climb(position, half, siblings[:-1]), siblings[-1])
        return node(siblings[-1], climb(position - half, size - half, siblings[:-1]))

    demand(climb(position, size, siblings) == root, "a path does not lead to the root of its bundle")
    return derive("bundle", encode([size, root]))


def policy_of(table):
    """The policy of a job file, with what was left out filled in."""
    if table.get("adaptive", False):
        return adaptive_policy_of(table)
    tolerate, quorum, replicas = (table.get(key) for key in ("tolerate", "quorum", "replicas"))
    if tolerate is None:
        if quorum is None and replicas is None:
            tolerate = 1
        elif replicas is None:
            tolerate = quorum - 1
        elif quorum is None:
            tolerate = (replicas - 1) // 2
        else:
            tolerate = min(quorum - 1, replicas - quorum)
    if quorum is None:
        quorum = max(tolerate + 1, 1 if replicas is None else replicas // 2 + 1)
    if replicas is None:
        replicas = max(2 * tolerate + 1, quorum)
    most = table.get("max_replicas", max(replicas, quorum + tolerate, 9))
    electorate, sealed = table.get("electorate", "sample"), table.get("sealed", False)
    mode, audit = table.get("mode", "replicated"), table.get("audit", 0)
    audited = [[mode, audit]] if mode != "replicated" or audit else []
    return [tolerate, quorum, replicas, most, table.get("distinct", []), electorate, sealed, lease_of(table), *audited]


def lease_of(table):
    """The lease in milliseconds."""
    units = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
    lease = re.fullmatch(r"(\d+)(ms|s|m|h)", table.get("lease", "60s"))
    demand(lease, "this example reads leases such as 90s only")
    return int(lease[1]) * units[lease[2]]


def adaptive_policy_of(table):
    """One worker answers, and the policy says within which bounds."""
    faulty, error = round(table.get("faulty", 0.35) * 10**6), round(table.get("error", 1e-6) * 10**12)
    most = table.get("max_replicas", min(max(4 * lead_of(faulty, error), 9), 1000))
    return [0, 1, 1, most, [], "sample", False, lease_of(table), ["replicated", 0, [faulty, error]]]


def lead_of(faulty, error):
    """By how many ballots one side of a dispute must lead: the least d with (p / (1 - p))^d at most a tenth of the bound."""
    odds, bound, lead = Fraction(faulty, 10**6 - faulty), Fraction(error, 10**13), 0
    while odds**lead > bound and lead < 256:
        lead += 1
    return lead


def constant_of(name):
    root = re.fullmatch(r"sqrt\((\d+)\)", name)
    return {"Sqrt": int(root[1])} if root else {"pi": "Pi", "e": "E", "golden-ratio": "GoldenRatio", "ln2": "Ln2"}[name]


def wide(value):
    """A whole number of 128 bits."""
    return (value & ((1 << 128) - 1)).to_bytes(16, "big")


def bound(text):
    """The bound of a range: a whole number, or a power; a minus binds looser than `^`."""
    found = re.fullmatch(r"(-?[\d_]+)(?:\s*\^\s*([\d_]+))?", text)
    demand(found, "this example reads bounds such as 1_000 and 10^6 only")
    base, power = int(found[1]), int(found[2] or 1)
    return -(abs(base) ** power) if base < 0 else base**power


TOKEN = re.compile(r"\s*(\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?|\w+|==|!=(?!=)|<=|>=|//|[-+*/%^<>(),!])")
BINDING = {"or": 10, "and": 20, **dict.fromkeys(["==", "!=", "<=", ">=", "<", ">"], 40)}
BINDING |= {"+": 50, "-": 50, "*": 60, "/": 60, "//": 60, "%": 60, "^": 80}
CALLS = ["abs", "floor", "ceil", "gcd", "powmod", "is_prime"]


class Body:
    """The body of a range: what decides whether it has a kernel."""

    def __init__(self, text, variable):
        self.variable, self.tokens = variable, TOKEN.findall(text)
        self.steps = self.formulas = self.depth = 0
        self.known = True
        self.expression(0)
        self.known &= not self.tokens and self.steps <= 256 and self.formulas <= 30 and self.depth <= 8

    def step(self, *depths):
        """The depth of a step that takes values of these depths."""
        self.steps += 1
        depth = max([1] + [depth + place for place, depth in enumerate(depths)])
        self.depth = max(self.depth, depth)
        return depth

    def formula(self, count=1):
        self.formulas += count

    def number(self, text):
        digits, _, exponent = text.lower().replace("_", "").partition("e")
        whole, _, fraction = digits.partition(".")
        exponent = int(exponent or 0) - len(fraction)
        self.known &= 0 <= exponent <= 38 and max(1, int(whole + fraction)) * 10 ** min(exponent, 38) < 1 << 127

    def operand(self):
        token = self.tokens.pop(0) if self.tokens else ""
        if token == "-":
            return self.step(self.expression(70))
        if token == "not":
            self.expression(30)
            return self.formula()
        if token == "(":
            inner = self.expression(0)
            self.tokens[:1] = []
            return inner
        if token == self.variable:
            return self.step()
        if token[:1].isdigit():
            self.number(token)
            return self.step()
        if token not in CALLS:
            # A constant, or a function that the kernel does not have: the rest does not matter.
            self.known = False
            self.tokens.clear()
            return 0
        values = []
        while self.tokens and self.tokens.pop(0) in "(,":
            values.append(self.expression(0))
            if token == "gcd" and len(values) == 2:
                values = [self.step(*values)]
        if token == "is_prime":
            return self.formula()
        return values[0] if token == "gcd" and values else self.step(*values)

    def expression(self, least):
        """The depth of a value; of something true or false, none."""
        left = self.operand()
        while self.tokens and BINDING.get(self.tokens[0], -1) >= least:
            operator = self.tokens.pop(0)
            power = BINDING[operator]
            right = self.expression(power if operator == "^" else power + 1)
            if power < 40:
                left = self.formula()
            elif power == 40:
                # The next link of a chain, or a comparison of two values.
                left = self.formula(2 if left is None else 1)
            else:
                left = self.step(left, right)
        return left


def has_kernel(body, variable):
    return Body(body, variable).known


def tasks_of(job, file):
    """The tasks of a job, in order."""
    if job["kind"] == "digits":
        return [{"Digits": [constant_of(job["digits"]["constant"]), job["digits"]["decimals"]]}]
    demand(job["kind"] == "expressions", "this example knows decimal digits and expressions only")
    table = job["expressions"]
    texts = table.get("check")
    if texts is None:
        lines = (line.lstrip("\ufeff").strip() for line in file.decode().split("\n"))
        texts = [line for line in lines if line and not line.startswith("#")]
    agree, most, is_open = table.get("agree_digits", 100), table.get("batch", 1024), "batch" not in table
    tasks, left = [], None
    for text in (text.strip() for text in texts) if "file" in table else texts:
        size = len(text.encode())
        found = re.fullmatch(r"\s*for\s+(\w+)\s+in\s+(.+?)\s*\.\.(=?)\s*(.+?)\s*:\s*(.*?)\s*", text, re.S)
        if found:
            first, last = (bound(part) for part in (found[2], found[4]))
            last -= 0 if found[3] else 1
            left = None
            values = KERNEL_RANGE_VALUES if has_kernel(found[5], found[1]) else RANGE_VALUES
            for start in range(first, last + 1, values):
                end = min(start + values - 1, last)
                tasks.append({"Range": [agree, found[1], found[5], wide(start), wide(end)]})
            continue
        parts = 1 if is_open and size <= 64 and re.fullmatch(r"[ %(->]*", text) else 8
        if left is None or parts > left[0] or size * parts > left[1]:
            tasks.append({"Expressions": [agree, []]})
            left = [8 * most, 8 * 48 * 1024]
        tasks[-1]["Expressions"][1].append(text)
        left = [left[0] - parts, left[1] - size * parts]
    return tasks


def formulas(task):
    return 1 if "Digits" not in task else 4 if task["Digits"][0] == "Pi" else 2


def engines(task):
    return 2 if "Range" in task and has_kernel(task["Range"][2], task["Range"][1]) else 1


class Job:
    """What the entries have said so far."""

    def __init__(self, submitted, file):
        self.job, nonce, self.submitter, self.policy, text, digest = submitted
        demand((derive("expression file", file) if file is not None else None) == digest, "another expression file")
        raw = text.encode()
        told = len(raw).to_bytes(8, "little") + raw + (digest or b"") + bytes(nonce)
        demand(derive("job", told)[:16] == self.job, "the job's id is not that of its text")
        spec = tomllib.loads(text)
        self.name = spec["name"]
        self.is_digits = spec["kind"] == "digits"
        demand(policy_of(spec.get("policy", {})) == self.policy, "the policy is not that of the text")
        self.tasks = tasks_of(spec, file)
        self.decided, self.wrong, self.state = {}, set(), None

    def ballot(self, ballot, index, task):
        """The worker, the replica's number, the digest and the domain of a ballot that is signed and about a task."""
        trace = ballot[0][4:]
        demand(not trace or (len(trace) == 2 and trace[0] is None), f"task {index}: an audit is counted as a ballot")
        return self.signed_ballot(ballot, index, task)

    def audit(self, ballot, index, task):
        """As a ballot, and which outcome of whom was tested."""
        audited = ballot[0][4:]
        demand(len(audited) == 1 and len(audited[0]) == 3, f"task {index}: a ballot is counted as an audit")
        outcome, prover, _ = audited[0]
        return *self.signed_ballot(ballot, index, task), outcome, prover

    def signed_ballot(self, ballot, index, task):
        (replica, worker, digest, domain, *_), bundle, signature = ballot
        demand(replica[:3] == [self.job, index, task], f"task {index}: a ballot of another job or task")
        to_sign = derive("ballot", encode(ballot[0]))
        if bundle is not None:
            to_sign = in_bundle(to_sign, bundle)
        demand(signed(worker, signature, to_sign), f"task {index}: a ballot is not signed")
        return worker, replica[3], digest, domain

    def decide(self, decided):
        job, index, task, verdict, quorum, _, disputed, ballots, pairs, *audits = decided
        demand(job == self.job and index < len(self.tasks), f"no task {index}")
        demand(task == derive("task", encode(self.tasks[index])), f"task {index} is another")
        demand(index not in self.decided and self.state is None, f"task {index} is decided twice, or too late")
        demand(quorum >= self.policy[1], f"task {index}: the quorum was lowered")
        found = [self.ballot(ballot, index, task) for ballot, _ in ballots]
        workers = [ballot[0] for ballot in found]
        demand(workers == sorted(set(workers)), f"task {index}: a worker is counted twice")
        demand(len({ballot[1] for ballot in found}) == len(found), f"task {index}: a replica is counted twice")
        accused = set()
        for first, second in pairs:
            one, other = (self.ballot(ballot, index, task) for ballot in (first, second))
            demand(one[:2] == other[:2] and one[2] != other[2], f"task {index}: no equivocation")
            demand(one[0] not in workers and one[0] not in accused, f"task {index}: an equivocator counts")
            accused.add(one[0])
        demand(not audits or (len(audits) == 1 and audits[0]), f"task {index}: no audits are told")
        audits = [self.audit(ballot, index, task) for ballot, _ in (audits[0] if audits else [])]
        self.check_audits(audits, found, index)
        several = len({ballot[2] for ballot in found}) > 1 or any(audit[2] != audit[4] for audit in audits)
        demand(disputed == (several or disputed and bool(pairs)), f"task {index}: a dispute does not show")
        accepted = verdict["accepted"] if isinstance(verdict, dict) and "accepted" in verdict else None
        if accepted is not None:
            winners = [ballot for ballot in found if ballot[2] == accepted]
            carriers, is_vote = self.audited(winners, found, audits, quorum, index)
            if is_vote:
                demand(len(winners) >= quorum, f"task {index}: too few ballots")
                demand(2 * len(winners) > len(found), f"task {index}: no majority")
            others = len(found) - len(winners)
            if len(self.policy) > 8 and len(self.policy[8]) > 2 and others:
                lead = lead_of(*self.policy[8][2])
                demand(len(winners) >= others + lead, f"task {index}: the dispute is not led by {lead}")
            for axis in self.policy[4]:
                place = ["operator", "engine", "formula", "device"].index(axis)
                most = {"engine": engines(self.tasks[index]), "formula": formulas(self.tasks[index])}.get(axis, quorum)
                values = {carrier[3][place] for carrier in carriers}
                demand(len(values) >= min(quorum, most), f"task {index}: the winners have the same {axis}")
            self.wrong |= {(index, ballot[0]) for ballot in found if ballot[2] != accepted}
        self.wrong |= {(index, worker) for worker in accused}
        self.decided[index] = accepted, {ballot[0]: ballot[2] for ballot in found}

    def check_audits(self, audits, found, index):
        """Each is of an outcome that was counted, says yes or no to it, and is its worker's only one of it."""
        computed = {(worker, digest) for worker, _, digest, _ in found}
        numbers = [ballot[1] for ballot in found + audits]
        demand(len(set(numbers)) == len(numbers), f"task {index}: a replica is counted twice")
        pairs = [(worker, prover) for worker, *_, prover in audits]
        demand(len(set(pairs)) == len(pairs), f"task {index}: a worker audits twice")
        for _, _, digest, _, outcome, prover in audits:
            demand((prover, outcome) in computed, f"task {index}: an audit of what nobody computed")
            rejection = derive("rejection", encode([outcome, prover]))
            demand(digest in (outcome, rejection), f"task {index}: an audit says nothing")

    def audited(self, winners, found, audits, quorum, index):
        """Whose ballots the axes are seen on, and whether the vote counts as well."""
        mode, audit = self.policy[8][:2] if len(self.policy) > 8 else ("replicated", 0)
        least = max(audit, self.policy[1] - 1 if mode == "audited" else 0)
        if least == 0:
            return winners, True
        heard = {ballot[0]: ([], []) for ballot in found}
        for ballot in audits:
            worker, _, digest, _, outcome, prover = ballot
            if worker != prover:
                heard[prover][digest != outcome].append(ballot)
        struck = {who for who, (yes, no) in heard.items() if len(no) >= self.policy[1] and len(no) > len(yes)}
        provers = [ballot for ballot in winners if ballot[0] not in struck]
        passed = [heard[ballot[0]] for ballot in provers]
        is_passed = any(len(yes) >= least and len(yes) > len(no) for yes, no in passed)
        demand(is_passed, f"task {index}: too few audits passed")
        supporters = provers + [ballot for yes, _ in passed for ballot in yes]
        demand(len({ballot[0] for ballot in supporters}) >= quorum, f"task {index}: too few stand behind it")
        is_vote = mode == "replicated" and not struck
        return (winners if is_vote else supporters), is_vote

    def late(self, counted):
        ballot = counted[0]
        index = ballot[0][0][1]
        demand(index in self.decided, f"task {index}: a late ballot before the verdict")
        task = derive("task", encode(self.tasks[index]))
        if len(ballot[0]) == 5:
            self.audit(ballot, index, task)
            return
        worker, _, digest, _ = self.ballot(ballot, index, task)
        accepted, before = self.decided[index]
        if worker not in before:
            if accepted is not None and digest != accepted:
                self.wrong.add((index, worker))
        else:
            demand(not before[worker] == digest == accepted, f"task {index}: a ballot is told twice")

    def entry(self, record):
        (kind, said), = record.items()
        if kind == "Decided":
            self.decide(said)
        elif kind == "Late":
            self.late(said)
        elif kind == "Corrected":
            job, index, worker, accepted = said
            demand(job == self.job and self.decided.get(index, (None,))[0] == accepted, "a correction to nothing")
            demand((index, worker) in self.wrong, f"task {index}: a correction of nobody")
            self.wrong.remove((index, worker))
        elif kind == "Over":
            job, state = said
            accepted = sum(accepted is not None for accepted, _ in self.decided.values())
            is_true = {
                "reconciled": accepted == len(self.tasks),
                "incomplete": len(self.decided) == len(self.tasks),
                "abandoned": True,
            }
            demand(job == self.job and self.state is None and is_true.get(state, False), "the end is not true")
            self.state = state
        elif kind not in ("Quarantined", "Tested", "Located", "SealBroken"):
            raise Fault(f"an entry {kind} is of no job")


def verify(data):
    source = Input(data)
    demand(source.take(8) == b"QUORCERT", "no certificate")
    demand(source.number() == 1, "another version")
    (head, head_signature), file_bytes, count = decode(source.part())
    coordinator, (size, root), _ = head
    demand(signed(coordinator, head_signature, derive("ledger head", encode(head))), "the head is not signed")
    file = None if file_bytes is None else source.take(file_bytes)
    demand(count > 0, "no entries")
    job, entries, digests, before, at_ms = None, {}, [], -1, 0
    for _ in range(count):
        position, between, data_of_entry = decode(source.part())
        demand(before < position < size, "an entry is out of order")
        digests += between
        entries[position] = data_of_entry
        before = position
        time, record = decode(data_of_entry)
        demand(time >= at_ms, "time goes back")
        at_ms = time
        if job is None:
            demand("Submitted" in record, "the first entry is no submission")
            job = Job(record["Submitted"], file)
        else:
            job.entry(record)
    digests += decode(source.part())
    demand(root_of(0, size, entries, digests) == root and not digests, "the entries are not in the ledger")
    held = index = 0
    while not job.is_digits and index < len(job.tasks):
        length = source.number()
        if length == NO_OUTCOME:
            absent = int.from_bytes(source.take(8), "big")
            demand(1 <= absent <= len(job.tasks) - index, "more tasks have no outcome than there are")
            index += absent
        else:
            accepted = job.decided.get(index, (None,))[0]
            demand(derive("outcome", source.take(length)) == accepted, f"the outcome of task {index} is another")
            held += 1
            index += 1
    to_sign = derive("job certificate", data[: source.at])
    demand(signed(coordinator, source.take(64), to_sign), "the coordinator has not signed the certificate")
    demand(source.at == len(data), "bytes trail the signature")
    accepted = sum(accepted is not None for accepted, _ in job.decided.values())
    return (
        f"job {job.name} ({job.job.hex()}): {accepted} of {len(job.tasks)} tasks accepted, {held} outcomes here, "
        f"ended {job.state}; coordinator {coordinator.hex()}"
    )


if __name__ == "__main__":
    try:
        with open(sys.argv[1], "rb") as opened:
            print(verify(opened.read()))
    except Fault as fault:
        sys.exit(f"refused: {fault}")
