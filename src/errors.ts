/**
 * Typed errors. A message is one line that names the value and the limit; the command line prints it as it is
 * and exits with code 2. Anything else that reaches the command line is a defect of ours.
 *
 * Each class writes its name out: a bundler may rename the class itself, and names are what survives a worker's border.
 */
export class ScaleKVError extends Error {
  override readonly name: string = "ScaleKVError";
}

/** A file is not the checkpoint it claims to be: damaged, hostile, or of a kind this project does not read. */
export class CheckpointError extends ScaleKVError {
  override readonly name = "CheckpointError";
}

/** A checkpoint is readable but is not the model that was asked for: missing tensors, other shapes, a wrong partner. */
export class ModelError extends ScaleKVError {
  override readonly name = "ModelError";
}

/** An option's value is out of its range or contradicts another option. */
export class OptionError extends ScaleKVError {
  override readonly name = "OptionError";
}

/** A file of a model cannot be had over the network: unknown name, no connection, damaged transfer. */
export class DownloadError extends ScaleKVError {
  override readonly name = "DownloadError";
}

/** A device is missing or the runtime refused a graph. */
export class DeviceError extends ScaleKVError {
  override readonly name = "DeviceError";
}

/** A budget file is damaged, or made for another model or schedule. */
export class BudgetError extends ScaleKVError {
  override readonly name = "BudgetError";
}

/** A model was disposed of while it was at work, or is asked for more afterwards. */
export class DisposedError extends ScaleKVError {
  override readonly name = "DisposedError";
}

/** A sampling folder is damaged, or holds the pictures of another run than the one that is asked for. */
export class SamplingError extends ScaleKVError {
  override readonly name = "SamplingError";
}
