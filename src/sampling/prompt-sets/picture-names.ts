/**
 * Names of picture files that a prompt set chose itself. They must stay in the run's folder, mean a file on every system
 * the folder may be copied to, and differ even where upper and lower case are the same.
 */
import { OptionError } from "../../errors.js";
import { quoted } from "../../checkpoint/cursor.js";

/** Bytes of UTF-8. File systems allow 255; a temporary file beside the picture has a longer name. */
const MAX_PART_BYTES = 200;
/** An S3 key has at most 1,024 bytes, the run's own folder among them. */
const MAX_PATH_BYTES = 800;

/** Separators, wildcards and what else Windows reserves, control characters, and halves of surrogate pairs. */
const FORBIDDEN = /[\\<>:"|?*\p{Cc}\p{Cs}]/u;
/** Windows opens a device under these names, whatever their ending (Microsoft, "Naming Files, Paths, and Namespaces"). */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)/i;

/** The names given so far. */
export class PictureNames {
  /** Name as the least careful system compares it → who has it. */
  private readonly owners = new Map<string, string>();

  /**
   * Takes a name: relative, `/` between its parts, ending in `.png` or `.jpg`.
   *
   * @param where file and place in it, first words of the error
   * @throws OptionError for a name that is not safe, or that another picture has
   */
  claim(file: string, where: string): string {
    const problem = nameProblem(file);
    if (problem !== undefined) throw new OptionError(`${where}: ${quoted(file)} ${problem}`);
    const key = file.normalize("NFC").toLowerCase();
    const owner = this.owners.get(key);
    if (owner !== undefined) throw new OptionError(`${where}: ${quoted(file)} is the picture of ${owner} already`);
    this.owners.set(key, where);
    return file;
  }
}

function nameProblem(file: string): string | undefined {
  if (!/\.(?:png|jpg)$/.test(file)) return "does not end in .png or .jpg";
  if (Buffer.byteLength(file) > MAX_PATH_BYTES) return `has more than ${MAX_PATH_BYTES} bytes`;
  const parts = file.split("/");
  // So that no folder can have the name of a picture or of one of the run's own files.
  if (parts.slice(0, -1).some((folder) => folder.includes("."))) return "has a dot in a folder's name";
  return parts.map(partProblem).find((problem) => problem !== undefined);
}

function partProblem(part: string): string | undefined {
  if (part === "") return "has an empty part";
  if (part.startsWith(".")) return "has a part that begins with a dot";
  if (part !== part.trim()) return "has space at the end of a part";
  if (FORBIDDEN.test(part)) return "has a character that file names cannot have everywhere";
  if (DEVICE.test(part)) return "has a part that is a device's name on Windows";
  return Buffer.byteLength(part) > MAX_PART_BYTES ? `has a part of more than ${MAX_PART_BYTES} bytes` : undefined;
}
