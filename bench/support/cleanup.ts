/**
 * What has to be undone however the bench ends: at its end, by Ctrl-C, by SIGTERM, or by a fault. The newest goes first.
 */

type Undo = () => Promise<void> | void;

const undos = new Set<Undo>();
let isListening = false;

/** Undoes whatever is left. For the end of the bench. */
export async function undoAll(): Promise<void> {
  for (const undo of [...undos].toReversed()) {
    try {
      await undo();
    } catch (error) {
      console.error('while cleaning up:', error);
    }
  }
  undos.clear();
}

function listen(): void {
  if (isListening) return;
  isListening = true;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      console.error(`\n${signal}: stopping what was started`);
      void undoAll().finally(() => process.exit(code));
    });
  }
}

/**
 * Registers something to undo.
 *
 * @returns does it now, once, and takes it from the list
 */
export function onEnd(undo: Undo): () => Promise<void> {
  listen();
  undos.add(undo);
  return async () => {
    if (undos.delete(undo)) await undo();
  };
}
