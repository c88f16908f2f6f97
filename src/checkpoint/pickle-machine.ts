/**
 * The stack machine behind {@link unpickle}: values, marks and a memo. It builds plain data and nothing else; what a
 * global means is the caller's list, and what is not in the list ends the reading.
 */
import { quoted, type ByteCursor } from "./cursor.js";

/**
 * Steps of one pickle: opcodes, values that a call may copy, and bytes of long integers. Published checkpoints take about
 * 50 a tensor; the limit keeps the objects of the worst pickle below 1 GB.
 */
const MAX_STEPS = 2_000_000;

/** Something the machine hands around without looking inside: a class, a storage, a tensor. */
export abstract class PickleObject {
  /** For errors: what the thing is. */
  abstract readonly description: string;
}

/** A class or function of the caller's list. */
export class PickleCallable extends PickleObject {
  /**
   * @param description the Python name
   * @param call our stand-in, which sees only plain data and {@link PickleObject}s; undefined refuses the arguments
   */
  constructor(
    readonly description: string,
    readonly call: (args: readonly PickleValue[]) => PickleValue | undefined,
  ) {
    super();
  }
}

/** What a pickle holds here. Dictionaries become maps; lists, tuples and sets become arrays. */
export type PickleValue =
  null | boolean | number | bigint | string | Uint8Array | PickleObject | PickleValue[] | Map<PickleValue, PickleValue>;

/** The caller's part: what globals and persistent identifiers mean. */
export interface PickleWorld {
  /** The stand-in for `module.name`; undefined refuses it. */
  global(module: string, name: string): PickleObject | undefined;
  /** The object behind a persistent identifier (torch: a storage); undefined refuses it. */
  persistent(id: PickleValue): PickleObject | undefined;
}

/**
 * State of one reading. Each opcode is one method; those without a value return the machine, so that a table of opcodes
 * can be written as expressions. A method that finds the pickle malformed throws CheckpointError.
 */
export class PickleMachine {
  private stack: PickleValue[] = [];
  /** Stacks put aside by MARK, innermost last. */
  private readonly marked: PickleValue[][] = [];
  private readonly memo = new Map<number, PickleValue>();
  private steps = 0;

  constructor(
    readonly cursor: ByteCursor,
    private readonly world: PickleWorld,
  ) {}

  /** Counts steps before they are done; beyond two million it throws. */
  spend(steps: number): this {
    this.steps += steps;
    if (this.steps > MAX_STEPS) throw this.cursor.error(`the pickle has more than ${MAX_STEPS} steps`);
    return this;
  }

  push(value: PickleValue): this {
    this.stack.push(value);
    return this;
  }

  pop(): PickleValue {
    const value = this.stack.pop();
    if (value === undefined) throw this.cursor.error("the pickle takes a value from an empty stack");
    return value;
  }

  /** The last `count` values, oldest first. */
  take(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  mark(): this {
    this.marked.push(this.stack);
    this.stack = [];
    return this;
  }

  /** Everything since the last mark. */
  takeMarked(): PickleValue[] {
    const items = this.stack;
    const below = this.marked.pop();
    if (!below) throw this.cursor.error("the pickle has no mark to go back to");
    this.stack = below;
    return items;
  }

  /** Keeps the value on top under a number. */
  remember(index: number): this {
    this.memo.set(index, this.top());
    return this;
  }

  /** Keeps the value on top under the next number. */
  rememberNext(): this {
    return this.remember(this.memo.size);
  }

  recall(index: number): this {
    const value = this.memo.get(index);
    if (value === undefined) throw this.cursor.error(`the pickle recalls value ${index}, which it never kept`);
    return this.push(value);
  }

  append(items: readonly PickleValue[]): this {
    const list = this.top();
    if (!Array.isArray(list)) throw this.cursor.error("the pickle appends to something that is not a list");
    // One by one: as arguments of a single push, a million items would overflow the call stack.
    for (const item of items) list.push(item);
    return this;
  }

  /** Key, value, key, value, … into the dictionary on top. */
  setItems(pairs: readonly PickleValue[]): this {
    const dictionary = this.top();
    if (!(dictionary instanceof Map)) throw this.cursor.error("the pickle sets items of what is not a dictionary");
    for (let i = 0; i < pairs.length; i += 2) {
      const [key, value] = [pairs[i], pairs[i + 1]];
      if (key === undefined || value === undefined) throw this.cursor.error("a dictionary has a key without a value");
      dictionary.set(key, value);
    }
    return this;
  }

  pushGlobal(module: PickleValue, name: PickleValue): this {
    if (typeof module !== "string" || typeof name !== "string") {
      throw this.cursor.error("the pickle names a global by something that is not text");
    }
    const found = this.world.global(module, name);
    if (!found) {
      throw this.cursor.error(
        `asks for ${quoted(`${module}.${name}`)}, which is not part of a checkpoint; nothing ran`,
      );
    }
    return this.push(found);
  }

  pushPersistent(): this {
    const found = this.world.persistent(this.pop());
    if (!found) throw this.cursor.error("the pickle refers to something that is not a storage of a type we read");
    return this.push(found);
  }

  /** Calls the value below the arguments: our stand-in runs, never anything of the file. */
  call(): this {
    const args = this.pop();
    const callee = this.pop();
    if (!(callee instanceof PickleCallable)) throw this.cursor.error("the pickle calls something that is not a class");
    const result = Array.isArray(args) ? callee.call(this.paid(args)) : undefined;
    if (result === undefined) {
      throw this.cursor.error(`${callee.description} is called with arguments that torch.save does not write`);
    }
    return this.push(result);
  }

  /** Attributes of an object (version numbers of a state dictionary, say): none of them is a weight. */
  dropState(): this {
    this.pop();
    const owner = this.top();
    if (!(owner instanceof PickleObject || owner instanceof Map)) {
      throw this.cursor.error("the pickle sets attributes of a plain value");
    }
    return this;
  }

  /** Arguments, and the items of those that are lists, as steps: a pickle can give one list to many calls that copy it. */
  private paid(args: readonly PickleValue[]): readonly PickleValue[] {
    this.spend(args.length);
    for (const arg of args) if (Array.isArray(arg)) this.spend(arg.length);
    return args;
  }

  private top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined) throw this.cursor.error("the pickle uses the top of an empty stack");
    return value;
  }
}
