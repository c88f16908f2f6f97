/**
 * Typed errors. A message is one line that names the value and the limit; the command line prints it as it is
 * and exits with code 2. Anything else that reaches the command line is a defect of ours.
 */
export class ScaleKVError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A file is not the checkpoint it claims to be: damaged, hostile, or of a kind this project does not read. */
export class CheckpointError extends ScaleKVError {}

/** A checkpoint is readable but is not the model that was asked for: missing tensors, other shapes, a wrong partner. */
export class ModelError extends ScaleKVError {}

/** An option's value is out of its range or contradicts another option. */
export class OptionError extends ScaleKVError {}

/** A file of a published model cannot be had: unknown name, no network, damaged transfer. */
export class DownloadError extends ScaleKVError {}

/** A device is missing or the runtime refused a graph. */
export class DeviceError extends ScaleKVError {}
