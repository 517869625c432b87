// The error of every reader and writer in formats/: the bytes are not what the format's specification asks for.

/** A file is malformed, or uses a part of its format that is not supported; the message names the file and the part. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
