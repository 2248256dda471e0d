//! The key by which a node signs who signed in. It is made when it is first needed and ends with the process, as the tokens
//! beside it do: a client that looks up the key set again finds the next one.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};

/// Bytes of the modulus.
const MODULUS_BYTES: usize = 256;

/// The key, once it is made; `None` where it could not be made.
#[derive(Default)]
pub(crate) struct Key(OnceLock<Option<KeyPair>>);

impl Key {
    fn pair(&self) -> Option<&KeyPair> {
        self.0.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).ok()).as_ref()
    }
}

impl rest::IdentityKey for Key {
    fn public(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        numbers(self.pair()?.public_key().as_ref())
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let pair = self.pair()?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017, A.1.1) in DER: a key of 2048 bits has one form.
fn numbers(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    const BEFORE_MODULUS: [u8; 9] = [0x30, 0x82, 0x01, 0x0A, 0x02, 0x82, 0x01, 0x01, 0x00];
    const BEFORE_EXPONENT: [u8; 2] = [0x02, 0x03];
    const EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];
    let modulus =
        der.strip_prefix(&BEFORE_MODULUS)?.strip_suffix(&EXPONENT)?.strip_suffix(&BEFORE_EXPONENT)?;
    (modulus.len() == MODULUS_BYTES).then(|| (modulus.to_vec(), EXPONENT.to_vec()))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
    use rest::IdentityKey as _;

    use super::*;

    #[test]
    fn what_is_signed_holds_by_the_public_key() {
        let key = Key::default();
        let (n, e) = key.public().expect("a key");
        let signature = key.sign(b"message").expect("signed");
        let public = RsaPublicKeyComponents { n, e };
        assert!(public.verify(&RSA_PKCS1_2048_8192_SHA256, b"message", &signature).is_ok());
        assert!(public.verify(&RSA_PKCS1_2048_8192_SHA256, b"other", &signature).is_err());
    }
}
