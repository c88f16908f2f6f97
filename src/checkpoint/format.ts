/** Which format a file has, by its first bytes; works wherever a {@link ByteSource} does. */
import { CheckpointError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import { quoted } from "./cursor.js";
import { readSafetensors } from "./safetensors.js";
import type { ByteSource } from "./source.js";
import { readTorchLegacy } from "./torch-legacy.js";
import { readTorchZip } from "./torch-zip.js";

/** Bytes to tell the formats apart: safetensors shows itself at byte 8. */
const SIGNATURE_BYTES = 9;

const ZIP_SIGNATURE = "PK\u0003\u0004";
const PICKLE_PROTOCOL = "\u0080";

/**
 * Opens one file: torch ZIP, torch legacy or safetensors. Nothing but directories is read, and nothing of the file is
 * executed. The source stays the caller's to close.
 *
 * @throws CheckpointError for anything else, and for damaged files
 */
export async function openCheckpointSource(source: ByteSource): Promise<Checkpoint> {
  const bytes = await source.read(0, Math.min(source.size, SIGNATURE_BYTES));
  const head = String.fromCharCode(...bytes);
  // Before the pickle: a header length may well begin with the byte that opens a pickle.
  if (head[8] === "{") return readSafetensors(source);
  if (head.startsWith(ZIP_SIGNATURE)) return readTorchZip(source);
  if (head.startsWith(PICKLE_PROTOCOL)) return readTorchLegacy(source);
  throw new CheckpointError(
    `${source.name}: neither a torch nor a safetensors checkpoint; ${source.size} bytes that begin with ${quoted(head)}`,
  );
}
