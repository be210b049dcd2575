import progress from 'cli-progress';

/** Shows how many of `total` are done. */
interface ProgressDisplay {
  show(done: number): void;
  stop(): void;
}

function createBar(label: string, total: number): ProgressDisplay {
  const bar = new progress.SingleBar(
    { format: `  ${label} {bar} {value}/{total} · {duration_formatted}`, hideCursor: true },
    progress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return { show: (done) => bar.update(done), stop: () => bar.stop() };
}

/** A log has no cursor to move: a line at each tenth instead. */
function createLines(label: string, total: number): ProgressDisplay {
  let lastTenth = -1;
  return {
    show(done) {
      const tenth = Math.floor((done * 10) / Math.max(total, 1));
      if (tenth === lastTenth) return;
      lastTenth = tenth;
      console.log(`  ${label} ${done}/${total}`);
    },
    stop() {},
  };
}

/** A bar on a terminal, plain lines elsewhere. */
export function createProgressDisplay(label: string, total: number): ProgressDisplay {
  return process.stdout.isTTY ? createBar(label, total) : createLines(label, total);
}
