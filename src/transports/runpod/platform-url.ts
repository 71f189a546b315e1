/** RunPod's addresses are templates. They are filled as text: what stands in them is never encoded a second time. */

export interface UrlValues {
  readonly workerId: string
  readonly endpointId?: string | undefined
  readonly gpuTypeId?: string | undefined
}

export interface TakeUrlOptions {
  /** Jobs wanted. */
  readonly count: number
  readonly jobsInProgress: boolean
}

const TAKE_SEGMENT = '/job-take/'

export function takeUrl(template: string, values: UrlValues, options: TakeUrlOptions): string {
  const { count, jobsInProgress } = options
  const url = fill(template, values, values.workerId)
  const progress = `job_in_progress=${jobsInProgress ? 1 : 0}`
  // Without the segment there is no address for batches, and one job at a time is what the other address gives.
  if (count <= 1 || !url.includes(TAKE_SEGMENT)) return addParams(url, progress)
  return addParams(url.replace(TAKE_SEGMENT, '/job-take-batch/'), `batch_size=${count}&${progress}`)
}

/** Undefined where the address of the stop channel cannot be told from the one that jobs are taken from. */
export function stopUrl(template: string, values: UrlValues): string | undefined {
  const url = fill(template, values, values.workerId)
  return url.includes(TAKE_SEGMENT) ? url.replace(TAKE_SEGMENT, '/job-stop/') : undefined
}

/** For results and for progress. */
export function doneUrl(template: string, values: UrlValues, jobId: string): string {
  return addParams(fill(template, values, jobId), 'isStream=false')
}

/** Without its parameters: see `addParams`. */
export function pingUrl(template: string, values: UrlValues): string {
  return fill(template, values, values.workerId)
}

/** `params` are encoded already. */
export function addParams(url: string, params: string): string {
  if (!url.includes('?')) return `${url}?${params}`
  return /[?&]$/.test(url) ? url + params : `${url}&${params}`
}

/** `id` stands for `$ID`: a job's, or the worker's. What has no value stays as it is. */
function fill(template: string, values: UrlValues, id: string): string {
  return template.replaceAll(/\$(?:RUNPOD_(?:POD|ENDPOINT|GPU_TYPE)_ID|ID)/g, (placeholder) => {
    const value = valueOf(placeholder, values, id)
    // Ids are opaque: one with a slash or a question mark must not become another address.
    return value === undefined ? placeholder : encodeURIComponent(value.toWellFormed())
  })
}

function valueOf(placeholder: string, values: UrlValues, id: string): string | undefined {
  if (placeholder === '$ID') return id
  if (placeholder === '$RUNPOD_POD_ID') return values.workerId
  return placeholder === '$RUNPOD_ENDPOINT_ID' ? values.endpointId : values.gpuTypeId
}
