/**
 * A lookup that asks for many keys at once: those asked for while one question is under way go together with the next. An answer is never
 * older than its question, so a changed row is seen at the next lookup.
 *
 * @param load  the values of all keys that have one
 */
export function createGroupedLookup<Value>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (key: string) => Promise<Value | undefined> {
  let gathering: { keys: Set<string>; answers: Promise<ReadonlyMap<string, Value>> } | undefined;
  let underWay: Promise<unknown> = Promise.resolve();

  const gather = (): NonNullable<typeof gathering> => {
    const keys = new Set<string>();
    const ask = async (): Promise<ReadonlyMap<string, Value>> => {
      await underWay;
      // Whatever came in this turn of the event loop goes along.
      await new Promise(setImmediate);
      gathering = undefined;
      const answers = load([...keys]);
      underWay = answers.catch(() => undefined);
      return answers;
    };
    return { keys, answers: ask() };
  };
  return async (key) => {
    gathering ??= gather();
    gathering.keys.add(key);
    return (await gathering.answers).get(key);
  };
}
