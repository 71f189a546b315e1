/**
 * Ends the process at once, whatever its threads are at: an exit would wait for them, or end them inside ONNX Runtime. The first
 * process of a container takes no SIGKILL from itself, but it can abort.
 */
export function killProcess(): void {
  process.kill(process.pid, 'SIGKILL')
  process.abort()
}
