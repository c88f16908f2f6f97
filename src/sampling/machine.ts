/** One machine's stations: a process for each device, or as many as are asked for; a single one is this process itself. */
import type { PipelineOptions } from "../generate/types.js";
import { spareMemory, threadsEach } from "./batch-size.js";
import type { ChildOptions } from "./child-messages.js";
import { openChildStation } from "./child-station.js";
import { deal } from "./deal.js";
import { visibleGpus, VISIBLE } from "./gpus.js";
import type { Run } from "./run.js";
import type { Work } from "./sample.js";
import { openStation, type Station } from "./station.js";
import type { Store } from "./store.js";
import type { Failure } from "./task-queue.js";

/** How a machine works on a run. */
export interface MachineOptions extends ChildOptions {
  /** Processes that draw. Default: one a device. `memory` is for all of them, `threads` for each. */
  readonly workers?: number | undefined;
  /** Told while this process loads the model; what children do is their own. */
  readonly onProgress?: PipelineOptions["onProgress"];
}

/** Who draws on a machine. */
interface Machine {
  readonly stations: number;
  readonly open: (station: number, signal: AbortSignal) => Promise<Station>;
}

/** What {@link SampleTask} needs of a machine; nothing is started before there is something to draw. */
export async function useMachine(
  store: Store,
  run: Run,
  options: MachineOptions,
): Promise<(work: Work) => Promise<Failure[]>> {
  const { stations, open } = await staff(store, run, options);
  return ({ onReady, ...work }) => {
    const openAndTell: Machine["open"] = async (station, signal) => {
      const opened = await open(station, signal);
      onReady();
      return opened;
    };
    return deal({ ...work, stations, open: openAndTell });
  };
}

/** Decides who draws. */
async function staff(store: Store, run: Run, options: MachineOptions): Promise<Machine> {
  const { onProgress, workers, ...drawing } = options;
  const gpus = run.manifest.settings.device === "cuda" ? await visibleGpus() : [];
  const stations = workers ?? Math.max(gpus.length, 1);
  if (stations === 1) {
    return { stations, open: (_, signal) => openStation(store, run, { ...drawing, signal, onProgress }) };
  }
  const each: ChildOptions = {
    ...drawing,
    threads: drawing.threads ?? threadsEach(stations),
    memory: memoryEach(run, drawing.memory, stations),
  };
  const open: Machine["open"] = (station, signal) => {
    const gpu = gpus[station % gpus.length];
    const environment = gpu === undefined ? {} : { [VISIBLE]: gpu };
    return openChildStation({ place: store.place, options: each, environment }, signal);
  };
  return { stations, open };
}

/** Host memory is shared out; a device has its own, of which nobody knows unless told. */
function memoryEach(run: Run, memory: number | undefined, stations: number): number | undefined {
  if (memory !== undefined) return memory / stations;
  return run.manifest.settings.device === "cpu" ? spareMemory() / stations : undefined;
}
