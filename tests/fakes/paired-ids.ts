/** First ids of batches that `paired-inference-thread.ts` answers in a way of their own. */

/** Answered at once. */
export const ALONE = 900
/** Ends the thread. */
export const LETHAL = 901
/** Answered as a GPU that is lost would. */
export const LOSING = 902
