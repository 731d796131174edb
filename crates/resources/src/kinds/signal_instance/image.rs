//! The image of the host: which one is the newest, how old that of the host is, and whether the host has to be replaced
//! because of it.

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::types::{ArchitectureValues, Image, Instance as Found};

use super::{IMAGE, NEWEST_IMAGE};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_config::Span;
use peersync_engine::{Live, LiveField, LiveFields, OutputMap, ResourceError, Tags, text};

/// AWS's public parameter that holds the id of the newest Amazon Linux 2023 image, without the architecture at its end.
pub(super) const NEWEST_IMAGE_PARAMETER: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-";
/// The tag with the moment at which the image of a host was published, in RFC 3339 and UTC.
pub(super) const PUBLISHED_TAG: &str = "peersync:image-published";
/// The output with the same moment.
const PUBLISHED: &str = "image_published";
/// The output with the id of the image.
const ID: &str = "image";
/// The seconds of a day.
const DAY: u64 = 86_400;

/// Returns the outputs with those that tell of the image. A host that an earlier version has launched does not tell when
/// its image was published, nor does an emulator: that was before the host was started.
pub(super) fn with_image(outputs: OutputMap, host: &Found, tags: &Tags) -> OutputMap {
    let started = || host.launch_time().and_then(|time| SystemTime::try_from(*time).ok()).map(written);
    let published = tags.get(PUBLISHED_TAG).filter(|moment| read(moment).is_some()).cloned().or_else(started);
    let known = [(ID, host.image_id().map(str::to_owned)), (PUBLISHED, published)];
    known.into_iter().fold(outputs, |outputs, (name, value)| match value {
        Some(value) => outputs.with(name, value),
        None => outputs,
    })
}

/// Returns how old the image of a host is, by the time of the stack.
pub fn image_age(stack: &Stack, host: &Live) -> Option<Duration> {
    let published = read(host.outputs.get(PUBLISHED)?.value())?;
    Some(stack.now.duration_since(published).unwrap_or_default())
}

/// Looks for the newest image if that of the host is older than the configuration allows, so that a plan can know whether
/// there is a newer one. Commands that plan to deploy call this after the stack was read; a removal does not need it.
///
/// # Errors
/// AWS does not tell the newest image.
pub async fn find_newer_image(stack: &Stack, host: &Live) -> Result<(), ResourceError> {
    if excess(stack, host).is_none() || stack.newest_image.get().is_some() {
        return Ok(());
    }
    match newest(stack).await {
        Ok(image) => stack.newest_image.get_or_init(|| image),
        Err(error) if stack.clients.lack(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    Ok(())
}

/// Returns why a host has to be replaced although everything matches: its image is too old, and a newer one exists.
pub fn outdated(stack: &Stack, host: &Live) -> Option<String> {
    let newest = stack.newest_image.get()?;
    if host.outputs.get(ID)?.value() == newest {
        return None;
    }
    let (age, limit) = excess(stack, host)?;
    let limit = if limit.as_secs() % DAY == 0 { days(limit) } else { Span(limit).to_string() };
    Some(format!("the image is {} old; image_max_age is {limit}", days(age)))
}

/// Returns a duration in whole days: `45 days`.
pub fn days(duration: Duration) -> String {
    text::count(usize::try_from(duration.as_secs() / DAY).unwrap_or(usize::MAX), "day")
}

/// Returns the age of the image and the limit, if the deployer has chosen the image and the limit is exceeded.
fn excess(stack: &Stack, host: &Live) -> Option<(Duration, Duration)> {
    let signaling = &stack.config.signaling;
    let limit = signaling.image_max_age.limit().filter(|_| signaling.image.is_none())?;
    let is_ours = matches!(host.fields.field(IMAGE), Some(LiveField::Known(image)) if image == NEWEST_IMAGE);
    let age = image_age(stack, host).filter(|age| is_ours && *age > limit)?;
    Some((age, limit))
}

/// Returns the id of the newest image of Amazon Linux 2023.
pub(super) async fn newest(stack: &Stack) -> Result<String, ResourceError> {
    const SUMMARY: &str = "failed to find the newest image of Amazon Linux 2023";
    let name = format!("{NEWEST_IMAGE_PARAMETER}{}", stack.config.signaling.architecture());
    let answer = stack.clients.ssm.get_parameter().name(name).send().await;
    let parameter = answer.context(SUMMARY)?.parameter;
    parameter
        .and_then(|parameter| parameter.value)
        .ok_or_else(|| ResourceError::new(SUMMARY).hint("set `image` under [signaling] to an image id"))
}

/// Reads an image; returns `None` if it does not exist.
pub(super) async fn describe(stack: &Stack, image: &str) -> Result<Option<Image>, ResourceError> {
    let answer = stack.clients.ec2.describe_images().image_ids(image).send().await;
    let absent = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"];
    let answer = answer.found(&absent, "failed to read the image of the signaling host")?;
    Ok(answer.and_then(|answer| answer.images?.into_iter().next()))
}

/// Checks that a configured image is for the processors of the type: EC2's own answer does not name the settings.
///
/// # Errors
/// Names the image, the type, and both architectures.
pub(super) fn check_architecture(stack: &Stack, image: Option<&Image>) -> Result<(), ResourceError> {
    let signaling = &stack.config.signaling;
    let (type_name, wanted) = (&signaling.instance_type, signaling.architecture());
    let found = image.and_then(Image::architecture).map(ArchitectureValues::as_str);
    match (&signaling.image, found) {
        (Some(image), Some(found)) if found != wanted.name() => {
            Err(ResourceError::new("the image is for other processors than those of the signaling host")
                .caused_by(format!("{image} is for {found}, and {type_name} has {wanted} processors"))
                .hint(
                    "change `image` or `instance_type` under [signaling]; without `image`, `up` finds the newest one",
                ))
        }
        _ => Ok(()),
    }
}

/// Returns when an image was published, in RFC 3339 and UTC.
pub(super) fn published(image: &Image) -> Option<String> {
    image.creation_date().and_then(read).map(written)
}

/// Returns a host for tests: one whose image the deployer has chosen, and when that was published.
#[doc(hidden)]
pub fn host_for_tests(image: &str, published: &str) -> Live {
    let outputs = OutputMap::new().with(ID, image).with(PUBLISHED, published);
    Live { fields: LiveFields::new().with(IMAGE, NEWEST_IMAGE), outputs, ..Live::default() }
}

fn read(moment: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(moment).ok()
}

fn written(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::{Config, MaxAge};

    /// The last second of 2026-11-29.
    const NOW: u64 = 1_795_996_799;

    fn host(image: &str, chosen: &str, published: &str) -> Live {
        Live { fields: LiveFields::new().with(IMAGE, chosen), ..host_for_tests(image, published) }
    }

    async fn reason(max_age: MaxAge, configured: Option<&str>, host: &Live) -> Option<String> {
        let mut config = Config::default();
        config.signaling.image_max_age = max_age;
        config.signaling.image = configured.map(str::to_owned);
        let mut stack = (*Stack::for_tests(config).await).clone();
        stack.now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        assert_eq!(outdated(&stack, host), None, "nobody knows whether there is a newer one");
        stack.newest_image.get_or_init(|| "ami-new".to_owned());
        outdated(&stack, host)
    }

    #[tokio::test]
    async fn host_is_replaced_if_its_image_is_too_old_and_a_newer_one_exists() {
        let limit = MaxAge::days(30);
        let old = host("ami-old", NEWEST_IMAGE, "2026-10-15T12:00:00Z");
        let expected = "the image is 45 days old; image_max_age is 30 days";
        assert_eq!(reason(limit, None, &old).await.as_deref(), Some(expected));
        let expected = "the image is 45 days old; image_max_age is 1day 12h";
        let shorter = MaxAge::Of(Span(Duration::from_secs(36 * 3600)));
        assert_eq!(reason(shorter, None, &old).await.as_deref(), Some(expected));
        for (kept, max_age, configured, why) in [
            (host("ami-new", NEWEST_IMAGE, "2026-10-15T12:00:00Z"), limit, None, "there is no newer one"),
            (host("ami-old", NEWEST_IMAGE, "2026-10-31T00:00:00Z"), limit, None, "it is not older than that"),
            (host("ami-old", NEWEST_IMAGE, "2026-12-31T00:00:00Z"), limit, None, "a clock is wrong"),
            (host("ami-old", NEWEST_IMAGE, "some day"), limit, None, "its age is unknown"),
            (old.clone(), MaxAge::Never, None, "the configuration does not want it"),
            (old.clone(), limit, Some("ami-old"), "the configuration names it"),
            (host("ami-old", "ami-old", "2026-10-15T12:00:00Z"), limit, None, "it is replaced for another reason"),
        ] {
            assert_eq!(reason(max_age, configured, &kept).await, None, "{why}");
        }
    }

    #[test]
    fn moment_of_an_image_is_kept_in_whole_seconds() {
        let image = |date: &str| Image::builder().creation_date(date).build();
        assert_eq!(published(&image("2025-11-18T01:02:03.456Z")).as_deref(), Some("2025-11-18T01:02:03Z"));
        assert_eq!(published(&image("some day")), None);
        assert_eq!(published(&Image::builder().build()), None);
    }

    #[test]
    fn host_of_an_earlier_version_is_as_old_as_its_start_at_least() {
        let host = Found::builder().image_id("ami-1");
        let started = host.launch_time(aws_smithy_types::DateTime::from_secs(1_795_996_799)).build();
        let told =
            |tags: &Tags| with_image(OutputMap::new(), &started, tags).get(PUBLISHED).map(|one| one.value().to_owned());
        assert_eq!(told(&Tags::new()).as_deref(), Some("2026-11-29T23:59:59Z"));
        let tagged = Tags::from([(PUBLISHED_TAG.to_owned(), "2026-11-01T00:00:00Z".to_owned())]);
        assert_eq!(told(&tagged).as_deref(), Some("2026-11-01T00:00:00Z"));
    }
}
