// npm `oidc-provider` with a few people, its own sign-in pages and RP-initiated logout.
//
//   node provider.mjs PORT REDIRECT_URI[,REDIRECT_URI...] [POST_LOGOUT_REDIRECT_URI [PEOPLE [BACK_CHANNEL_URI]]]
//
// PEOPLE is JSON and takes the place of people below: `{"ana": {"email": ...}}`.
// With BACK_CHANNEL_URI it tells that address of sign-outs, gives refresh tokens that work once, and
// access tokens for ten seconds; it prints a line for every refresh.
// Its signing key is made at every start, so a restart on the same port is a key rotation.
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [port, redirectUri, signedOutUri, others, backChannelUri] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;

const people = {
  ana: { email: 'ana@example.com', email_verified: true, name: 'Ana Horvat', groups: ['dev', 'ops'] },
  // In an allowed domain, but the provider says that nobody checked the address.
  ulla: { email: 'ulla@example.com', email_verified: false, name: 'Ulla Unverified', groups: ['dev'] },
  // The domain only ends like the allowed one.
  eve: { email: 'eve@evil-example.com', email_verified: true, name: 'Eve Elsewhere', groups: [] },
  // Groups as other providers shape them: within objects, and joined in one string.
  lev: {
    email: 'lev@example.com', email_verified: true, name: 'Лев Žižek',
    org: { membership: { groups: ['Release Managers', 'cn=git,ou=groups,dc=example', 'Äußere Ränge'] } },
    teams: 'dev;ops; on call;',
  },
  noa: { email: 'noa@example.com', email_verified: true, org: { membership: { groups: [] } } },
};

Object.assign(people, JSON.parse(others || '{}'));

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = `key-${Date.now()}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'portcullis',
    client_secret: 'a secret for the peers: % + & =', // form-encoding matters in Basic (RFC 6749 §2.3.1)
    redirect_uris: redirectUri.split(','),
    post_logout_redirect_uris: signedOutUri ? [signedOutUri] : [],
    id_token_signed_response_alg: 'ES256',
    token_endpoint_auth_method: 'client_secret_basic',
    ...(backChannelUri && {
      backchannel_logout_uri: backChannelUri,
      backchannel_logout_session_required: true,
      grant_types: ['authorization_code', 'refresh_token'],
    }),
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] },
  cookies: { keys: ['not a secret'] },
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username', 'groups', 'org', 'teams'],
  },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: Boolean(backChannelUri) },
  },
  ...(backChannelUri && {
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    // Its own refuses addresses of this machine.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    ttl: { AccessToken: 10, RefreshToken: 3600, IdToken: 600, Grant: 3600, Session: 3600, Interaction: 600 },
  }),
  // Only `sub` in the ID token, everything else at userinfo, is this provider's default and kept.
  findAccount: (_, id) => people[id] && {
    accountId: id,
    claims: () => ({ sub: `subject-of-${id}`, preferred_username: id, ...people[id] }),
  },
});
provider.on('server_error', (_, error) => console.error(error));
for (const event of ['authorization.error', 'grant.error', 'userinfo.error', 'end_session.error']) {
  provider.on(event, (_, error) => console.error(event, error.message, error.error_description ?? ''));
}
provider.on('grant.success', ({ oidc }) => {
  if (oidc.params.grant_type === 'refresh_token') console.log('a token was refreshed');
});
provider.on('backchannel.success', () => console.log('the back channel was told'));
provider.on('backchannel.error', (_, error) => console.error('the back channel failed:', error.message));
provider.listen(Number(port), '127.0.0.1', () => console.log(`${issuer} signs with ${kid}`));
