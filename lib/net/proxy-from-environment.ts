// Finds the URL of the proxy for a target in the environment variables, by the conventions of curl.

import { builtin } from '../runtime/builtin.js'
import type { DialTarget } from './dial-target.js'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The value of `HTTPS_PROXY` (for `wss:`) or `HTTP_PROXY` (for `ws:`), unless `NO_PROXY` lists the target; '' for none. Lower-case names
 * take precedence, and empty values are ignored.
 */
export function proxyFromEnvironment(target: DialTarget, environment: Environment): string {
  if (isExempt(target, environment['no_proxy'] || environment['NO_PROXY'] || '')) return ''
  const found = target.secure
    ? environment['https_proxy'] || environment['HTTPS_PROXY'] || ''
    : environment['http_proxy'] || httpProxy(environment)
  // like curl, take a host and port without a scheme for an http: proxy
  return found === '' || found.includes('://') ? found : `http://${found}`
}

/** In a CGI program HTTP_PROXY is a header field of the client: CVE-2016-5385. */
function httpProxy(environment: Environment): string {
  return environment['REQUEST_METHOD'] === undefined ? environment['HTTP_PROXY'] || '' : ''
}

/** Whether `NO_PROXY` lists the target: names, which include their subdomains, addresses, networks, or `*`. */
function isExempt({ hostname, port }: DialTarget, list: string): boolean {
  const host = hostname.replace(/\.$/, '').toLowerCase()
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some(item => item !== '' && matches(host, port, item))
}

function matches(host: string, port: number, item: string): boolean {
  if (item === '*') return true
  const { name, onlyPort } = splitPort(item)
  if (onlyPort !== undefined && onlyPort !== port) return false
  return builtin('node:net').isIP(host) === 0 ? matchesName(host, name) : matchesAddress(host, name)
}

/** Splits off the port after a name, or after an address in brackets; an IPv6 address without brackets has none. */
function splitPort(item: string): { name: string; onlyPort: number | undefined } {
  const [, name, port] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(item) ?? []
  return name === undefined ? { name: item, onlyPort: undefined } : { name, onlyPort: Number(port) }
}

function matchesName(host: string, name: string): boolean {
  const suffix = name.replace(/^\*?\./, '').replace(/\.$/, '')
  return suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`))
}

function matchesAddress(host: string, name: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(name.replace(/^\[|\]/g, '')) ?? []
  if (builtin('node:net').isIP(address) === 0) return false
  const width = builtin('node:net').isIPv4(address) ? 32 : 128
  const length = Number(bits ?? width)
  if (length > width) return false
  const { BlockList } = builtin('node:net')
  const network = new BlockList()
  network.addSubnet(address, length, familyOf(address))
  return network.check(host, familyOf(host))
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return builtin('node:net').isIPv4(address) ? 'ipv4' : 'ipv6'
}
