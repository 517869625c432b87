// The error of everything in hub/: a model's files could not be found, reached, read or kept.

/** A model's files cannot be had; the message names the file or the place, the cause, and the way out. */
export class HubError extends Error {
  override readonly name = "HubError";
}
