"""NVIDIA's GPUs, through NVML: what they are, and what they are doing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

# Name → how to read it: from NVML, a device's handle. A device that lacks it goes without.
_READINGS: Mapping[str, Callable[[Any, Any], float]] = {
    "gpu": lambda nvml, device: nvml.nvmlDeviceGetUtilizationRates(device).gpu,
    "memory": lambda nvml, device: nvml.nvmlDeviceGetUtilizationRates(device).memory,
    "memoryAllocatedBytes": lambda nvml, device: nvml.nvmlDeviceGetMemoryInfo(device).used,
    "memoryAllocated": lambda nvml, device: _percent(nvml.nvmlDeviceGetMemoryInfo(device)),
    "temp": lambda nvml, device: nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU),
    "powerWatts": lambda nvml, device: nvml.nvmlDeviceGetPowerUsage(device) / 1000,
    "enforcedPowerLimitWatts": lambda nvml, device: nvml.nvmlDeviceGetEnforcedPowerLimit(device) / 1000,
    "smClock": lambda nvml, device: nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_SM),
    "memoryClock": lambda nvml, device: nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_MEM),
    "graphicsClock": lambda nvml, device: nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_GRAPHICS),
    "fanSpeed": lambda nvml, device: nvml.nvmlDeviceGetFanSpeed(device),
    "encoderUtilization": lambda nvml, device: nvml.nvmlDeviceGetEncoderUtilization(device)[0],
    "correctedMemoryErrors": lambda nvml, device: _errors(nvml, device, nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
    "uncorrectedMemoryErrors": lambda nvml, device: _errors(nvml, device, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
}
_OF_PROCESS = ("gpu", "memory", "memoryAllocated", "memoryAllocatedBytes", "temp", "powerWatts",
               "enforcedPowerLimitWatts", "powerPercent")  # fmt: skip
"""What is told again as `gpu.process.…` where the run uses the device."""


class Gpus:
    """The GPUs of this machine."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._refusals = (nvml.NVMLError, getattr(nvml, "NVMLLibraryMismatchError", nvml.NVMLError))
        count = range(nvml.nvmlDeviceGetCount())
        self._devices = [device for number in count if (device := self._ask(nvml.nvmlDeviceGetHandleByIndex, number))]

    def look(self, pids: Set[int]) -> dict[str, float]:
        """What each is doing; a device that some process of *pids* uses is told as `gpu.process.…` too."""
        seen: dict[str, float] = {}
        for number, device in enumerate(self._devices):
            answers = {name: self._ask(reading, self._nvml, device) for name, reading in _READINGS.items()}
            read = {name: value for name, value in answers.items() if value is not None}
            if read.get("enforcedPowerLimitWatts") and "powerWatts" in read:
                read["powerPercent"] = 100 * read["powerWatts"] / read["enforcedPowerLimitWatts"]
            seen |= {f"gpu.{number}.{name}": value for name, value in read.items()}
            used = self._used_by(device, pids)
            if used is not None:
                seen |= {f"gpu.process.{number}.{name}": read[name] for name in _OF_PROCESS if name in read}
                seen |= {f"gpu.process.{number}.memoryUsedBytes": used} if used else {}
        return seen

    def about(self) -> dict[str, Any]:
        """What they are, for the run's record."""
        nvml = self._nvml
        cuda = self._ask(nvml.nvmlSystemGetCudaDriverVersion)
        memory = [self._ask(nvml.nvmlDeviceGetMemoryInfo, device) for device in self._devices]
        return {
            "models": [_plain(self._ask(nvml.nvmlDeviceGetName, device) or "unknown") for device in self._devices],
            "memory_gb": [round(one.total / 2**30, 1) for one in memory if one],
            "driver": _plain(self._ask(nvml.nvmlSystemGetDriverVersion) or ""),
            "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else "",
        }

    def _used_by(self, device: Any, pids: Set[int]) -> int | None:
        """The bytes that processes of *pids* hold on *device*; None where none of them uses it."""
        found: dict[int, int] = {}
        for kind in ("Compute", "Graphics"):
            question = f"nvmlDeviceGet{kind}RunningProcesses"
            answer = self._ask(getattr(self._nvml, question), device)
            if answer is None:  # a driver older than the binding
                answer = self._ask(getattr(self._nvml, f"{question}_v2"), device)
            for process in answer or ():
                found[process.pid] = max(found.get(process.pid, 0), process.usedGpuMemory or 0)
        ours = [memory for pid, memory in found.items() if pid in pids]
        return sum(ours) if ours else None

    def _ask(self, question: Callable[..., Any], *args: Any) -> Any:
        """The answer; None where the device or the driver has none."""
        try:
            return question(*args)
        except self._refusals:
            return None


def find() -> Gpus | None:
    """The GPUs of this machine, or None where there is no driver."""
    import ctypes

    try:
        ctypes.CDLL("libnvidia-ml.so.1")  # loading a module only to hear that there is none would cost ten times more
        import pynvml
    except (OSError, ImportError):
        return None
    try:
        pynvml.nvmlInit()
        gpus = Gpus(pynvml)
    except pynvml.NVMLError:
        return None
    return gpus


def _percent(memory: Any) -> float:
    return float(100 * memory.used / memory.total)


def _errors(nvml: Any, device: Any, kind: Any) -> float:
    total = nvml.nvmlDeviceGetTotalEccErrors(device, kind, nvml.NVML_AGGREGATE_ECC)
    return float(total)


def _plain(text: str | bytes) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text
