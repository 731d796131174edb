//! One order of a certificate, from the request to the certificate.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};

use crate::certificates::{Answer, Certificates};
use crate::reach::self_signed;

/// How long the authority may take for its checks, and then for the certificate: seconds, as a rule.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).backoff(1.5).timeout(Duration::from_secs(120));

/// What an authority has issued, in PEM.
pub(crate) struct Issued {
    pub chain: String,
    pub key: String,
}

/// Orders a certificate, and answers the challenge of the authority.
///
/// # Errors
/// The authority refuses, cannot reach this host, or does not answer.
pub(crate) async fn order(account: &Account, domain: &str, certificates: &Certificates) -> Result<Issued, Error> {
    let identifiers = [Identifier::Dns(domain.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
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
