/** The store at a place: a folder, or an S3 bucket. */
import { join, resolve } from "node:path";
import { FolderStore } from "./folder-store.js";
import type { Store } from "./store.js";

/** Whether a place is a bucket's address and no folder. */
export function isBucket(place: string): boolean {
  return place.startsWith("s3://");
}

/** @throws OptionError for a bucket's address that is none, or one without the keys to it */
export async function openStore(place: string): Promise<Store> {
  if (!isBucket(place)) return new FolderStore(place);
  // What signs requests is read only where it is needed.
  const { S3Store } = await import("./s3-store.js");
  return S3Store.open(place);
}

/** The place of a run within a place of several; an empty name is the place itself. */
export function placeWithin(place: string, name: string): string {
  if (!isBucket(place)) return join(place, name);
  return name === "" ? place : `${place.replace(/\/+$/, "")}/${name}`;
}

/** A place by a name that other processes understand. */
export function absolutePlace(place: string): string {
  return isBucket(place) ? place : resolve(place);
}
