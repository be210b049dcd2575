/** Where something stands in a text, as an editor counts: lines and columns from 1. */
export interface Place {
  line: number;
  column: number;
}

/** Makes the function that tells the place of an offset. Offsets must not go backwards between calls. */
export function createPlaceOf(text: string): (offset: number) => Place {
  let line = 1;
  let lineStart = 0;
  let readTo = 0;
  return (offset) => {
    for (; readTo < offset; readTo += 1) {
      if (text[readTo] !== '\n') continue;
      line += 1;
      lineStart = readTo + 1;
    }
    return { line, column: offset - lineStart + 1 };
  };
}
