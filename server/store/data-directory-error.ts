/** The data directory cannot be used. The message says why and what to do. */
export class DataDirectoryError extends Error {
  override readonly name: string = "DataDirectoryError";
}

/** Another process uses the data directory. */
export class DataDirectoryLocked extends DataDirectoryError {
  override readonly name = "DataDirectoryLocked";

  constructor(directory: string) {
    super(
      `${directory} is in use by another process: stop that one, or give this one a data directory of its own`,
    );
  }
}
