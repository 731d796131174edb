//! One order of a certificate, from the request to the certificate.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use tracing::info;

use crate::certificates::{Answer, Certificates};
use crate::reach::self_signed;

/// What an authority answers if it does not know an account (RFC 8555, section 6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
/// What an authority answers if it was asked too often.
const RATE_LIMITED: &str = "urn:ietf:params:acme:error:rateLimited";
/// How long the authority may take for its checks, and then for the certificate: seconds, as a rule.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).backoff(1.5).timeout(Duration::from_secs(120));

/// What an authority has issued, in PEM.
pub(crate) struct Issued {
    pub chain: String,
    pub key: String,
}

/// Returns whether the authority has answered that it does not know the account.
pub(crate) fn is_unknown_account(error: &Error) -> bool {
    is_problem(error, NO_ACCOUNT)
}

/// Returns whether the authority has answered that it was asked too often.
pub(crate) fn is_rate_limited(error: &Error) -> bool {
    is_problem(error, RATE_LIMITED)
}

fn is_problem(error: &Error, kind: &str) -> bool {
    matches!(error, Error::Api(problem) if problem.r#type.as_deref() == Some(kind))
}

/// Orders a certificate, in place of another one if there is one, and answers the challenge of the authority.
///
/// # Errors
/// The authority refuses, cannot reach this host, or does not answer.
pub(crate) async fn order(
    account: &Account,
    domain: &str,
    replaced: Option<CertificateIdentifier<'static>>,
    certificates: &Certificates,
) -> Result<Issued, Error> {
    let mut order = begin(account, &[Identifier::Dns(domain.to_owned())], replaced).await?;
    {
        let _answers = prove(&mut order, domain, certificates).await?;
        if order.poll_ready(&PATIENCE).await? != OrderStatus::Ready {
            return Err(refusal(&mut order).await);
        }
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(Issued { chain, key })
}

/// Begins an order. One in place of another certificate does not count for Let's Encrypt's limits
/// (<https://letsencrypt.org/docs/rate-limits/>). An authority can refuse that, because it has replaced that certificate already
/// or another account has ordered it, and must not be able to prevent the renewal by it.
async fn begin(
    account: &Account,
    identifiers: &[Identifier],
    replaced: Option<CertificateIdentifier<'static>>,
) -> Result<Order, Error> {
    if let Some(replaced) = replaced {
        match account.new_order(&NewOrder::new(identifiers).replaces(replaced)).await {
            Err(error) if !is_unknown_account(&error) && !is_rate_limited(&error) => {
                info!(target: "certificate", %error, "the order does not replace a certificate");
            }
            begun => return begun,
        }
    }
    account.new_order(&NewOrder::new(identifiers)).await
}

/// Answers the challenges, until the result is dropped.
async fn prove<'a>(order: &mut Order, domain: &str, certificates: &'a Certificates) -> Result<Vec<Answer<'a>>, Error> {
    let mut answers = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // One that is valid from an earlier order is valid for this one too.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let missing = Error::Unsupported("the challenge TLS-ALPN-01");
        let mut challenge = authorization.challenge(ChallengeType::TlsAlpn01).ok_or(missing)?;
        let proof = challenge.key_authorization().digest();
        let certificate = self_signed(domain, Some(proof.as_ref())).map_err(|error| Error::Other(Box::new(error)))?;
        answers.push(certificates.answer(certificate));
        challenge.set_ready().await?;
    }
    Ok(answers)
}

/// Returns why the authority does not believe the answers.
async fn refusal(order: &mut Order) -> Error {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.clone()) {
            return Error::Api(problem);
        }
    }
    Error::Str("the reason for the refusal")
}
