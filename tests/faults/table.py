"""Every fault, a row each, in the order of the issue's table."""

from __future__ import annotations

from tests.faults.fault import Fault
from tests.faults.kinds.clocks import ClockJumps
from tests.faults.kinds.connections import CROWDS, ApiIdle
from tests.faults.kinds.endpoints_hostile import EndpointTurnsHostile
from tests.faults.kinds.files_hostile import LargeBody, MasterFileHostile
from tests.faults.kinds.filesystems import (
    RunDirectoryRemoved,
    RunDirectoryRemovedAndKilled,
    RunFilesRemoved,
    SharedMemoryFull,
    StateFull,
    StateFullOverRestart,
    StateReadOnly,
    SupervisorKilledWhileFull,
)
from tests.faults.kinds.floods import ForgedFlood, MalformedFlood, SlowFlood
from tests.faults.kinds.limits import (
    ApiDescriptorsLimited,
    DescriptorsLimited,
    MoreWorkersUnderTaskLimit,
    ProcessesStarved,
    TasksLimited,
)
from tests.faults.kinds.processes import (
    EverybodyKilled,
    MonitorAndResponderKilled,
    MonitorKilled,
    MonitorStopped,
    ResponderKilled,
    RespondersKilledAgain,
    ResponderStopped,
    SupervisorKilled,
    SupervisorStopped,
)
from tests.faults.kinds.requests_hostile import (
    MalformedChunks,
    PreviewOfHostileHead,
    TokenPreviewsThisMachine,
    UserThatIsNone,
)
from tests.faults.kinds.stores import STORE_FAULTS

FAULTS: tuple[type[Fault], ...] = (
    EndpointTurnsHostile,
    PreviewOfHostileHead,
    MasterFileHostile,
    ResponderStopped,
    MonitorKilled,
    MonitorStopped,
    MonitorAndResponderKilled,
    SupervisorStopped,
    ProcessesStarved,
    ResponderKilled,
    RespondersKilledAgain,
    EverybodyKilled,
    SupervisorKilled,
    SharedMemoryFull,
    SupervisorKilledWhileFull,
    RunDirectoryRemoved,
    RunFilesRemoved,
    RunDirectoryRemovedAndKilled,
    TasksLimited,
    MoreWorkersUnderTaskLimit,
    *CROWDS,
    SlowFlood,
    ForgedFlood,
    MalformedFlood,
    LargeBody,
    StateFull,
    StateReadOnly,
    StateFullOverRestart,
    *STORE_FAULTS,
    UserThatIsNone,
    TokenPreviewsThisMachine,
    DescriptorsLimited,
    ApiDescriptorsLimited,
    ApiIdle,
    ClockJumps,
    MalformedChunks,
)
