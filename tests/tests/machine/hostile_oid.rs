//! OIDs that no stack sends, and good ones with bad buffers: each gets the status that is
//! documented for it.

use std::time::Duration;

use nt_host::ndis::{OidFailure, OidRequest};
use nt_sys::ndis::{
    NDIS_STATUS_BUFFER_TOO_SHORT, NDIS_STATUS_INVALID_DATA, NDIS_STATUS_INVALID_LENGTH,
    NDIS_STATUS_INVALID_OID, NDIS_STATUS_NOT_SUPPORTED, OID_GEN_CURRENT_LOOKAHEAD,
    OID_GEN_CURRENT_PACKET_FILTER, OID_GEN_INTERRUPT_MODERATION, OID_GEN_LINK_PARAMETERS,
    OID_GEN_MAXIMUM_TOTAL_SIZE, OID_GEN_RCV_OK, OID_GEN_STATISTICS, OID_GEN_VENDOR_DESCRIPTION,
    OID_GEN_VENDOR_DRIVER_VERSION, OID_GEN_VENDOR_ID, OID_GEN_XMIT_OK, OID_PNP_SET_POWER,
};
use tunic_tests::machine::{End, Loaded, alone, boot, connect};
use tunic_tests::random::Random;

const TIME: Duration = Duration::from_secs(120);

fn failure(result: Result<usize, OidFailure>) -> i32 {
    result.map_or_else(|failure| failure.status, |_| 0)
}

#[test]
fn oids() {
    alone("oids", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
        connect(&first, &second);
        first.reach(&second);
        let adapter = &first.adapter;
        let query = |oid, buffer: &mut [u8]| adapter.oid(OidRequest::Query { oid, buffer });
        let order = |oid, buffer: &[u8]| failure(adapter.oid(OidRequest::Set { oid, buffer }));

        // Queries: every buffer that is too short gets the length that is needed; one that is long
        // enough gets the answer.
        for oid in [
            OID_GEN_MAXIMUM_TOTAL_SIZE,
            OID_GEN_VENDOR_ID,
            OID_GEN_VENDOR_DESCRIPTION,
            OID_GEN_VENDOR_DRIVER_VERSION,
            OID_GEN_STATISTICS,
            OID_GEN_INTERRUPT_MODERATION,
            OID_GEN_XMIT_OK,
            OID_GEN_RCV_OK,
        ] {
            let mut buffer = [0; 512];
            let needed = query(oid, &mut buffer).expect("it is answered");
            let least = if matches!(oid, OID_GEN_XMIT_OK | OID_GEN_RCV_OK) { 4 } else { needed };
            for length in 0..least {
                let failure = query(oid, &mut buffer[..length]).expect_err("it is too short");
                assert_eq!(failure.status, NDIS_STATUS_BUFFER_TOO_SHORT, "{oid:#x}: {length}");
                assert_eq!(failure.bytes_needed as usize, needed, "{oid:#x}: {length}");
            }
            assert_eq!(query(oid, &mut buffer[..needed]), Ok(needed));
            // What can be asked for only.
            if oid != OID_GEN_INTERRUPT_MODERATION {
                assert_eq!(order(oid, &buffer[..needed]), NDIS_STATUS_NOT_SUPPORTED, "{oid:#x}");
            }
        }

        // Orders of a wrong length, and those that can't be followed.
        for oid in [OID_GEN_CURRENT_LOOKAHEAD, OID_GEN_CURRENT_PACKET_FILTER, OID_PNP_SET_POWER] {
            for length in 0..4 {
                let status = order(oid, &[0; 4][..length]);
                assert_eq!(status, NDIS_STATUS_INVALID_LENGTH, "{oid:#x}: {length}");
            }
        }
        assert_eq!(order(OID_GEN_INTERRUPT_MODERATION, &[0; 12]), NDIS_STATUS_INVALID_DATA);
        assert_eq!(order(OID_GEN_LINK_PARAMETERS, &[0; 64]), 0);

        // What nobody knows, whichever way.
        let mut random = Random::new(3);
        for number in 0..20_000 {
            // Vendors' own OIDs (ndis docs, "NDIS Custom OIDs"), and those of other media.
            let oid =
                [0xff00_0000, 0x0500_0000, 0x0d01_0000][number % 3] | random.next() as u32 & 0xffff;
            let mut buffer = [0x5a; 32];
            let length = random.below(33);
            let (status, expected) = match random.below(3) {
                0 => (failure(query(oid, &mut buffer[..length])), NDIS_STATUS_NOT_SUPPORTED),
                1 => (order(oid, &buffer[..length]), NDIS_STATUS_NOT_SUPPORTED),
                _ => {
                    let buffer = &mut buffer[..length];
                    let method = OidRequest::Method { oid, method: 0, input_bytes: 0, buffer };
                    (failure(adapter.oid(method)), NDIS_STATUS_INVALID_OID)
                }
            };
            assert!(
                status == expected || status == NDIS_STATUS_NOT_SUPPORTED,
                "{oid:#x}: {status:#x}"
            );
        }
        first.carry(&second);
        second.carry(&first);
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}
