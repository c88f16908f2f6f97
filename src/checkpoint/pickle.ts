/**
 * An interpreter for the pickles that torch.save writes (protocols 2 to 5). Its table of opcodes is complete for them
 * and refuses the rest. Format: Python's Lib/pickletools.py, whose names of opcodes stand beside the numbers.
 */
import type { ByteCursor } from "./cursor.js";
import { PickleMachine, type PickleValue, type PickleWorld } from "./pickle-machine.js";

/** Pickles hold names and sizes, no weights; one of a thousand tensors has 0.1 MB. */
export const MAX_PICKLE_BYTES = 64 * 2 ** 20;

/** Integers above 8 bytes come only as magic numbers and random seeds. */
const MAX_LONG_BYTES = 255;

const STOP = 0x2e;

/** One opcode; what it returns is of no interest. */
type Step = (machine: PickleMachine) => unknown;

/** A step that pushes what it reads. */
function pushes(read: (cursor: ByteCursor) => PickleValue): Step {
  return (machine) => machine.push(read(machine.cursor));
}

const CONSTANTS: readonly (readonly [number, Step])[] = [
  [0x4e, pushes(() => null)], // NONE
  [0x88, pushes(() => true)], // NEWTRUE
  [0x89, pushes(() => false)], // NEWFALSE
  [0x4a, pushes((cursor) => cursor.i32())], // BININT
  [0x4b, pushes((cursor) => cursor.u8())], // BININT1
  [0x4d, pushes((cursor) => cursor.u16())], // BININT2
  [0x8a, (machine) => pushLong(machine, machine.cursor.u8())], // LONG1
  [0x8b, (machine) => pushLong(machine, machine.cursor.u32())], // LONG4
  [0x47, pushes((cursor) => cursor.f64BigEndian())], // BINFLOAT
  [0x58, pushes((cursor) => cursor.text(cursor.u32()))], // BINUNICODE
  [0x8c, pushes((cursor) => cursor.text(cursor.u8()))], // SHORT_BINUNICODE
  [0x8d, pushes((cursor) => cursor.text(cursor.u64()))], // BINUNICODE8
  [0x54, pushes((cursor) => cursor.text(cursor.u32()))], // BINSTRING (Python 2 text)
  [0x55, pushes((cursor) => cursor.text(cursor.u8()))], // SHORT_BINSTRING
  [0x42, pushes((cursor) => cursor.take(cursor.u32()))], // BINBYTES
  [0x43, pushes((cursor) => cursor.take(cursor.u8()))], // SHORT_BINBYTES
  [0x8e, pushes((cursor) => cursor.take(cursor.u64()))], // BINBYTES8
  [0x96, pushes((cursor) => cursor.take(cursor.u64()))], // BYTEARRAY8
];

const CONTAINERS: readonly (readonly [number, Step])[] = [
  [0x28, (machine) => machine.mark()], // MARK
  [0x30, (machine) => machine.pop()], // POP
  [0x31, (machine) => machine.takeMarked()], // POP_MARK
  [0x29, pushes(() => [])], // EMPTY_TUPLE
  [0x85, (machine) => machine.push(machine.take(1))], // TUPLE1
  [0x86, (machine) => machine.push(machine.take(2))], // TUPLE2
  [0x87, (machine) => machine.push(machine.take(3))], // TUPLE3
  [0x74, (machine) => machine.push(machine.takeMarked())], // TUPLE
  [0x5d, pushes(() => [])], // EMPTY_LIST
  [0x61, (machine) => machine.append(machine.take(1))], // APPEND
  [0x65, (machine) => machine.append(machine.takeMarked())], // APPENDS
  [0x8f, pushes(() => [])], // EMPTY_SET
  [0x90, (machine) => machine.append(machine.takeMarked())], // ADDITEMS
  [0x91, (machine) => machine.push(machine.takeMarked())], // FROZENSET
  [0x7d, pushes(() => new Map())], // EMPTY_DICT
  [0x73, (machine) => machine.setItems(machine.take(2))], // SETITEM
  [0x75, (machine) => machine.setItems(machine.takeMarked())], // SETITEMS
];

const REFERENCES: readonly (readonly [number, Step])[] = [
  [0x71, (machine) => machine.remember(machine.cursor.u8())], // BINPUT
  [0x72, (machine) => machine.remember(machine.cursor.u32())], // LONG_BINPUT
  [0x94, (machine) => machine.rememberNext()], // MEMOIZE
  [0x68, (machine) => machine.recall(machine.cursor.u8())], // BINGET
  [0x6a, (machine) => machine.recall(machine.cursor.u32())], // LONG_BINGET
  [0x63, (machine) => machine.pushGlobal(machine.cursor.line(), machine.cursor.line())], // GLOBAL
  [0x93, pushStackGlobal], // STACK_GLOBAL
  [0x51, (machine) => machine.pushPersistent()], // BINPERSID
  [0x52, (machine) => machine.call()], // REDUCE
  [0x81, (machine) => machine.call()], // NEWOBJ
  [0x62, (machine) => machine.dropState()], // BUILD
];

const FRAMING: readonly (readonly [number, Step])[] = [
  [0x80, ({ cursor }) => readProtocol(cursor)], // PROTO
  [0x95, ({ cursor }) => cursor.u64()], // FRAME: a hint for buffering, without meaning here
];

const OPCODES: ReadonlyMap<number, Step> = new Map([...CONSTANTS, ...CONTAINERS, ...REFERENCES, ...FRAMING]);

/**
 * The value of one pickle; the cursor is left behind its end.
 *
 * @throws CheckpointError where the pickle ends early, is malformed, takes more than two million steps, or holds an opcode
 *   or a global outside the lists.
 */
export function unpickle(cursor: ByteCursor, world: PickleWorld): PickleValue {
  const machine = new PickleMachine(cursor, world);
  for (;;) {
    machine.spend(1);
    const code = cursor.u8();
    if (code === STOP) return machine.pop();
    const run = OPCODES.get(code);
    if (!run) throw cursor.error(`pickle opcode 0x${code.toString(16)} is not one that torch.save writes`);
    run(machine);
  }
}

function pushStackGlobal(machine: PickleMachine): PickleMachine {
  const name = machine.pop();
  return machine.pushGlobal(machine.pop(), name);
}

/** PROTO: the protocol only says which opcodes may come. */
function readProtocol(cursor: ByteCursor): number {
  const protocol = cursor.u8();
  if (protocol < 2 || protocol > 5) throw cursor.error(`pickle protocol ${protocol}, only 2 to 5 are read`);
  return protocol;
}

/** Two's complement of any length, little-endian; a number where that is exact. */
function pushLong(machine: PickleMachine, length: number): PickleMachine {
  const { cursor } = machine;
  if (length > MAX_LONG_BYTES) throw cursor.error(`an integer of ${length} bytes, the limit is ${MAX_LONG_BYTES}`);
  // Each byte copies the number that the others make so far.
  machine.spend(length);
  const magnitude = cursor.take(length).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const signed = BigInt.asIntN(8 * length, magnitude);
  const exact = Number(signed);
  return machine.push(Number.isSafeInteger(exact) ? exact : signed);
}
