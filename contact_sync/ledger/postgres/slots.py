"""The pace of an account: one row, from which every host takes the moments when its attempts may start.

One statement grants several slots in a row. The clock is the server's; a host learns how far away its slots are.
"""

from dataclasses import dataclass

from contact_sync.ledger.postgres.database import PostgresDatabase

_SLOW_S = 5.0  # for which the lower pace of one host is that of all

# A slot that a crash of the server forgets is long over when it is back: no grant waits for the disk.
_GAP = "greatest(?, CASE WHEN slow_until > clock_timestamp() THEN slow_gap ELSE 0 END)"
_TAKE = f"""
    UPDATE pace SET slot = greatest(slot, held_until, clock_timestamp()) + make_interval(secs => ? * {_GAP})
    FROM (SELECT set_config('synchronous_commit', 'off', true)) AS unawaited
    RETURNING extract(epoch FROM slot - clock_timestamp())::float8, {_GAP}
"""  # noqa: S608 - fixed text


@dataclass
class Slots:
    """The table `pace` (`model.pace.SlotStore`)."""

    database: PostgresDatabase

    def take(self, gap: float, most: int) -> list[float]:
        ((end, granted),) = self.database.all(_TAKE, most, gap, gap)
        return [end - (most - number) * granted for number in range(most)]

    def pause(self, seconds: float) -> None:
        statement = "UPDATE pace SET held_until = greatest(held_until, clock_timestamp() + make_interval(secs => ?))"
        self.database.write(statement, seconds)

    def pause_left(self) -> float:
        query = "SELECT greatest(0, extract(epoch FROM held_until - clock_timestamp()))::float8 FROM pace"
        ((left,),) = self.database.all(query)
        return float(left)

    def slow(self, gap: float) -> None:
        statement = (
            "UPDATE pace SET slow_gap = CASE WHEN slow_until > clock_timestamp() THEN greatest(slow_gap, ?) ELSE ? END,"
            " slow_until = clock_timestamp() + make_interval(secs => ?)"
        )
        self.database.write(statement, gap, gap, _SLOW_S)
