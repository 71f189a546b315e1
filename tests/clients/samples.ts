/** What clients are given to embed and to rank. */
export const TEXTS = ['This is a test document.', 'hello world', '', '👩‍🚀 日本語 naïve']
export const QUERY = 'Which animal is a panda?'
export const DOCUMENTS = ['hi', 'It is a bear of China.', 'The weather is fine today, and tomorrow too']
