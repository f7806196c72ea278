/* A libnvidia-ml.so.1 without a GPU, by NVIDIA's published interface (nvml.h), so that the real nvidia-ml-py reads it.

   The file that NVML_STAND_IN names has a line a device: name,total,used,busy,celsius,milliwatts,limit,pid,its bytes;
   a limit of 0 is a device that cannot say. What is not defined here, the binding reports as not found in the library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, SMALL = 7, NO_DRIVER = 9, MOST = 8 };
typedef struct { char name[64]; unsigned long long total, used, held; unsigned busy, celsius, mw, limit, pid; } device_t;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned gpu, memory; } rates_t;
typedef struct { unsigned pid; unsigned long long bytes; unsigned instance, compute; } process_t;

static device_t devices[MOST];
static unsigned count;

static int load(void) {
    const char *path = getenv("NVML_STAND_IN");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return NO_DRIVER;
    for (count = 0; count < MOST; count++) {
        device_t *d = &devices[count];
        if (fscanf(file, " %63[^,],%llu,%llu,%u,%u,%u,%u,%u,%llu", d->name, &d->total, &d->used, &d->busy, &d->celsius,
                   &d->mw, &d->limit, &d->pid, &d->held) != 9) break;
    }
    fclose(file);
    return OK;
}

int nvmlInit_v2(void) { return load(); }
int nvmlInitWithFlags(unsigned flags) { (void)flags; return load(); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "stand-in"; }
int nvmlSystemGetDriverVersion(char *text, unsigned length) { snprintf(text, length, "570.1"); return OK; }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 12080; return OK; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12080; return OK; }
int nvmlDeviceGetCount_v2(unsigned *number) { *number = count; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t **d) {
    if (index >= count) return INVALID;
    *d = &devices[index];
    return OK;
}
int nvmlDeviceGetName(device_t *d, char *text, unsigned length) { snprintf(text, length, "%s", d->name); return OK; }
int nvmlDeviceGetMemoryInfo(device_t *d, memory_t *m) {
    m->total = d->total; m->used = d->used; m->free = d->total - d->used;
    return OK;
}
int nvmlDeviceGetUtilizationRates(device_t *d, rates_t *r) { r->gpu = d->busy; r->memory = d->busy / 2; return OK; }
int nvmlDeviceGetTemperature(device_t *d, int sensor, unsigned *t) { (void)sensor; *t = d->celsius; return OK; }
int nvmlDeviceGetPowerUsage(device_t *d, unsigned *mw) { *mw = d->mw; return OK; }
int nvmlDeviceGetEnforcedPowerLimit(device_t *d, unsigned *mw) { *mw = d->limit; return d->limit ? OK : UNSUPPORTED; }
int nvmlDeviceGetClockInfo(device_t *d, int kind, unsigned *mhz) { (void)d; *mhz = 1000 + kind; return OK; }
int nvmlDeviceGetComputeRunningProcesses_v3(device_t *d, unsigned *number, process_t *list) {
    if (*number < 1) { *number = d->pid ? 1 : 0; return d->pid ? SMALL : OK; }
    *number = d->pid ? 1 : 0;
    if (d->pid) { list->pid = d->pid; list->bytes = d->held; list->instance = list->compute = 0xFFFFFFFF; }
    return OK;
}
