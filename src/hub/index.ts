// hub: a model's location becomes files, wherever they lie.
export { type CachedModel, cachedSize, type CacheStore, deleteCached, indexedDbStore, keepStorage, listCached } from "./cache.ts";
export { openCheckpoint, type OpenCheckpointOptions } from "./checkpoint.ts";
export { HubError } from "./errors.ts";
export type { ModelFolder } from "./folder.ts";
export { type ModelLocation, openers, openModel, type OpenModelOptions } from "./open.ts";
export type { LoadProgress } from "./progress.ts";
