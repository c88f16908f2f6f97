/** Where the time of a call goes: whoever wants to know hands a clock down, and the work is done under its eyes. */

/** Does a piece of work, and adds the time it takes to what `part` has taken so far. Of nested parts each counts its own. */
export type Clock = <T>(part: string, work: () => Promise<T> | T) => Promise<T>;

/** Nobody wants to know. */
export const untimed: Clock = async (_, work) => work();
