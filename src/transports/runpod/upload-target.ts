import { ServerError } from '../../errors.ts'

/** The operator's bucket. */
export interface Bucket {
  /** Of the bucket itself, without a slash at its end. */
  readonly url: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface UploadTarget extends Bucket {
  /** Folders inside the bucket. */
  readonly folders: readonly string[]
  /** A client named the host: it must not be one of this server's own network. */
  readonly publicOnly: boolean
}

/**
 * Where a large output goes: to the bucket that the job names, else to the operator's. Undefined where there is none.
 * Throws `invalid_request` where the job's `s3Config` cannot be used.
 */
export function findUploadTarget(s3Config: unknown, bucket: Bucket | undefined): UploadTarget | undefined {
  if (s3Config !== undefined && s3Config !== null) return readS3Config(s3Config, bucket)
  return bucket === undefined ? undefined : { ...bucket, folders: [], publicOnly: false }
}

function readS3Config(s3Config: unknown, bucket: Bucket | undefined): UploadTarget {
  if (typeof s3Config !== 'object' || s3Config === null) throw invalid('s3Config is not an object')
  const fields: Record<string, unknown> = { ...s3Config }
  const url = bucketUrl(readField(fields, 'endpointUrl'), readField(fields, 'bucketName'))
  const path = fields['objectPath'] ?? ''
  if (typeof path !== 'string') throw invalid('s3Config.objectPath is not a string')
  return {
    url: url.href.replace(/\/$/, ''),
    accessKeyId: readField(fields, 'accessId'),
    secretAccessKey: readField(fields, 'accessSecret'),
    folders: path.split('/').filter((part) => !['', '.', '..'].includes(part)),
    publicOnly: bucket === undefined || url.host !== new URL(bucket.url).host,
  }
}

function readField(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name]
  if (typeof value === 'string' && value.trim() !== '') return value.trim()
  // The value is not shown: it may be a secret.
  throw invalid(`s3Config.${name} is ${value === undefined ? 'missing' : 'not a text'}`)
}

/** An endpoint may be a server of many buckets, or name the bucket already: as its host's first part, or as its path. */
function bucketUrl(endpoint: string, bucketName: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw invalid('s3Config.endpointUrl is no address such as https://s3.eu-west-1.amazonaws.com')
  }
  if (!/^[\w.-]{3,63}$/.test(bucketName)) throw invalid('s3Config.bucketName is not the name of a bucket')
  url.search = ''
  url.hash = ''
  const path = url.pathname.replace(/\/+$/, '')
  const isNamed = url.hostname.startsWith(`${bucketName}.`) || path.endsWith(`/${bucketName}`)
  url.pathname = isNamed ? path : `${path}/${bucketName}`
  return url
}

function invalid(problem: string): ServerError {
  return new ServerError(
    'invalid_request',
    `${problem}; it needs accessId, accessSecret, bucketName and endpointUrl`,
  )
}
