/** Which network addresses the servers may have that callers name. */
import { BlockList, isIP, isIPv4 } from 'node:net';

/** Special-purpose ranges (IANA registries, RFC 6890) that no server on the internet has. */
const RESERVED = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // Besides IPv6's own, every form that carries an IPv4 address inside (compatible, NAT64, Teredo, 6to4).
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2001:db8::/32',
  '2002::/16',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

const reserved = parseNetworks(RESERVED);

/**
 * Reads CIDR ranges or single addresses into a list to check against.
 * @throws TypeError for an entry that is neither: a wrong setting must stop the start, not open a door.
 */
export function parseNetworks(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix, ...rest] = entry.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    const bits = prefix === undefined ? (family === 'ipv4' ? 32 : 128) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (isIP(address) === 0 || rest.length > 0 || bits < 0 || bits > (family === 'ipv4' ? 32 : 128)) {
      throw new TypeError(`not a network range: ${JSON.stringify(entry)}`);
    }
    list.addSubnet(address, bits, family);
  }
  return list;
}

/**
 * Where an IP address stands: `public`, `allowed` (reserved, but in the allowed ranges) or `refused`.
 * An IPv4 address mapped into IPv6 (`::ffff:127.0.0.1`) is judged as the IPv4 address it reaches.
 */
export function judgeAddress(address: string, allowed: BlockList): 'public' | 'allowed' | 'refused' {
  if (isIP(address) === 0) return 'refused';
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  if (allowed.check(address, family)) return 'allowed';
  return reserved.check(address, family) ? 'refused' : 'public';
}
