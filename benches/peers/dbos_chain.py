"""N no-op steps of one DBOS workflow, one after the other, recorded in SQLite: dbos_chain.py N FILE."""
import sys

from dbos import DBOS

steps, file = int(sys.argv[1]), sys.argv[2]
DBOS(config={"name": "compare", "system_database_url": f"sqlite:///{file}", "log_level": "ERROR", "run_admin_server": False})


@DBOS.step()
def noop():
    return 1


@DBOS.workflow()
def chain():
    return sum(noop() for _ in range(steps))


DBOS.launch()
assert chain() == steps
DBOS.destroy()
