//! What records may know of numbers and devices.

use super::{Secrets, seal};
use crate::{
    key::Key,
    otp::{DeviceId, Sealed, Subject},
    phone::Phone,
    records::{DeviceTag, Mark, PhoneTag, SealedPhone},
};

impl Secrets {
    /// The tag of a number. `None` if the library fails.
    pub(crate) fn phone_tag(&self, phone: &Phone) -> Option<PhoneTag> {
        self.records.mac(&[b"phone", phone.as_e164().as_bytes()]).map(PhoneTag)
    }

    /// The tag of a device: half of an authenticator, which RFC 2104 section 5 allows.
    pub(crate) fn device_tag(&self, device: &DeviceId) -> Option<DeviceTag> {
        let mac = self.records.mac(&[b"device", device.as_str().as_bytes()])?;
        mac.first_chunk().copied().map(DeviceTag)
    }

    /// The same as a key of the store.
    pub(crate) fn device_key(&self, device: &DeviceId) -> Option<Key> {
        self.device_tag(device).map(DeviceTag::key)
    }

    /// A number, for records to find and to keep for a subject.
    pub(crate) fn seal_phone(&self, phone: &Phone, subject: &Subject) -> Option<SealedPhone> {
        let about = subject.as_str().as_bytes();
        let sealed = seal::seal(&self.kept, about, phone.as_e164().as_bytes())?;
        Some(SealedPhone { tag: self.phone_tag(phone)?, sealed })
    }

    /// The number that was sealed for a subject, and for no other.
    pub(crate) fn open_phone(&self, sealed: &Sealed, subject: &Subject) -> Option<Phone> {
        let text = seal::open(&self.kept, subject.as_str().as_bytes(), sealed)?;
        std::str::from_utf8(&text).ok()?.parse().ok()
    }

    /// By what records tell these secrets from others.
    pub(crate) fn records_mark(&self) -> Option<Mark> {
        self.records.mac(&[b"mark"]).map(Mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_numbers_and_devices_apart_and_needs_the_secrets() {
        let (secrets, other) = (Secrets::random().unwrap(), Secrets::random().unwrap());
        let [a, b]: [Phone; 2] =
            ["+919876543210", "+919876543211"].map(|text| text.parse().unwrap());
        assert!(secrets.phone_tag(&a) == secrets.phone_tag(&a) && secrets.phone_tag(&a).is_some());
        assert!(secrets.phone_tag(&a) != secrets.phone_tag(&b));
        assert!(secrets.phone_tag(&a) != other.phone_tag(&a));
        let [c, d]: [DeviceId; 2] =
            ["a-device-0123456789", "b-device-0123456789"].map(|id| id.parse().unwrap());
        assert!(
            secrets.device_tag(&c) == secrets.device_tag(&c) && secrets.device_tag(&c).is_some()
        );
        assert!(secrets.device_tag(&c) != secrets.device_tag(&d));
        assert!(secrets.device_tag(&c) != other.device_tag(&c));
        assert!(
            secrets.records_mark() == secrets.records_mark()
                && secrets.records_mark() != other.records_mark()
        );
    }

    #[test]
    fn a_sealed_number_opens_for_its_subject_alone() {
        let secrets = Secrets::random().unwrap();
        let phone: Phone = "+919876543210".parse().unwrap();
        let [a, b] = ["a", "b"].map(|id| Subject::new(id).unwrap());
        let kept = secrets.seal_phone(&phone, &a).unwrap();
        assert_eq!(secrets.open_phone(&kept.sealed, &a), Some(phone));
        assert_eq!(secrets.open_phone(&kept.sealed, &b), None);
        assert_eq!(Secrets::random().unwrap().open_phone(&kept.sealed, &a), None);
    }
}
