const { NODE_COMPILE_CACHE } = process.env;

/** Variables for a process that is started without the environment of the tests: it need not compile the code again. */
export const compileCache: Readonly<Record<string, string>> =
  NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
