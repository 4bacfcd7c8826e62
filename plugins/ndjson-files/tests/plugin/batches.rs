//! Batches as the Arrow C Data Interface allows them, and as it does not.

use std::ptr;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::{Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Schema};
use entente_destination::abi::{Buffer, Slice, Status};
use entente_destination::caller::CallError;
use serde_json::json;

use crate::world::{Taken, World, batch_of, once, refusal, rows};
use crate::{plugin, table};

/// Writes one batch as it is, past everything that the gateway's own caller would make of it; the status.
fn write(world: &World, mut array: FFI_ArrowArray, mut schema: FFI_ArrowSchema) -> Status {
    let table = table().unwrap();
    let delivery = json!({"activation": "0190f3c4", "name": "Spring", "generation": "1", "acknowledged": 0});
    let request = json!({"settings": world.settings, "operator": world.operator(), "delivery": delivery}).to_string();
    let (mut session, mut opened, mut state, mut answer) =
        (ptr::null_mut(), Buffer::empty(), Buffer::empty(), Buffer::empty());
    // SAFETY: the table's functions, called as `abi` says; all that is lent outlives the calls.
    unsafe {
        let status = table.open.unwrap()(Slice::lend(request.as_bytes()), Slice::lend(b""), &mut session, &mut opened);
        assert_eq!(status, Status::OK);
        let key = Slice::lend(b"k-1");
        let status = table.write.unwrap()(session, 1, key, &mut array, &mut schema, &mut state, &mut answer);
        table.close.unwrap()(session);
        status
    }
}

/// Columns of some of the rows, each with an offset of its own, in a batch that has one too.
fn with_offsets(sent: &[Taken], own: usize, of_batch: usize) -> (FFI_ArrowArray, FFI_ArrowSchema) {
    let batch = batch_of(sent);
    let columns = batch.columns().iter().map(|column| {
        let rows = column.len() - own;
        column.to_data().into_builder().offset(own).len(rows).build().unwrap()
    });
    let rows = sent.len() - own - of_batch;
    let whole = StructArray::from(batch.clone()).into_data().into_builder();
    let data = whole.child_data(columns.collect()).offset(of_batch).len(rows).build().unwrap();
    (FFI_ArrowArray::new(&data), FFI_ArrowSchema::try_from(data.data_type()).unwrap())
}

#[test]
fn offsets_of_the_batch_and_of_its_columns_add_up() {
    if plugin().is_none() {
        return;
    }
    let sent = rows(0..40);
    for (own, of_batch) in [(0, 0), (3, 0), (0, 5), (7, 11), (40, 0), (0, 40)] {
        let world = World::new();
        let (array, schema) = with_offsets(&sent, own, of_batch);
        assert_eq!(write(&world, array, schema), Status::OK);
        assert_eq!(world.taken(), once(&sent[own + of_batch..]));
    }
}

/// A batch with these columns, of which any may be null.
fn batch_with(columns: [(&str, ArrayRef); 3]) -> RecordBatch {
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.map(|(_, column)| column).to_vec()).unwrap()
}

fn written(batch: &RecordBatch) -> Result<u64, CallError> {
    let world = World::new();
    let written = world.open(&plugin().unwrap(), 0, b"").unwrap().write(1, "k-1", batch);
    assert!(written.is_ok() || world.taken().is_empty());
    written.map(|written| written.accepted)
}

#[test]
fn other_columns_than_documented_are_refused() {
    if plugin().is_none() {
        return;
    }
    let good = batch_of(&rows(0..3));
    let [keys, identities, changes] = [0, 1, 2].map(|column| good.column(column).clone());
    let short: ArrayRef = Arc::new(FixedSizeBinaryArray::try_new(2, vec![1_u8; 6].into(), None).unwrap());
    let binary: ArrayRef = Arc::new(BinaryArray::from(vec![&b"added"[..]; 3]));
    let odd: ArrayRef = Arc::new(StringArray::from(vec!["added", "adde", "removed"]));
    let null: ArrayRef = Arc::new(StringArray::from(vec![Some("added"), None, Some("removed")]));
    let batch = |keys: &ArrayRef, identities: &ArrayRef, changes: &ArrayRef| {
        batch_with([("match_key", keys.clone()), ("identity", identities.clone()), ("change", changes.clone())])
    };
    assert_eq!(written(&batch(&keys, &identities, &changes)), Ok(3));
    let in_another_order = [("change", changes.clone()), ("match_key", keys.clone()), ("identity", identities.clone())];
    assert_eq!(written(&batch_with(in_another_order)), Ok(3));
    for wrong in [
        batch(&keys, &short, &changes),
        batch(&keys, &keys, &changes),
        batch(&identities, &identities, &changes),
        batch(&keys, &identities, &binary),
        batch(&keys, &identities, &odd),
        batch(&keys, &identities, &null),
        batch(&null, &identities, &changes),
        good.project(&[0, 1]).unwrap(),
        good.project(&[1, 2]).unwrap(),
        batch_with([("match_key", keys.clone()), ("IDENTITY", identities.clone()), ("change", changes.clone())]),
    ] {
        assert_eq!(refusal(written(&wrong)).0, "PAYLOAD", "{wrong:?}");
    }
}

#[test]
fn a_null_counts_only_in_the_rows_of_the_batch() {
    if plugin().is_none() {
        return;
    }
    let sent = rows(0..20);
    let good = batch_of(&sent);
    let keys = sent.iter().enumerate().map(|(row, (key, ..))| (row != 9).then_some(key.as_str()));
    let keys: ArrayRef = Arc::new(StringArray::from(keys.collect::<Vec<_>>()));
    let batch =
        batch_with([("match_key", keys), ("identity", good.column(1).clone()), ("change", good.column(2).clone())]);
    for (from, rows, taken) in [(0, 9, true), (10, 10, true), (9, 1, false), (0, 20, false), (8, 5, false)] {
        let data = StructArray::from(batch.clone()).into_data().into_builder().offset(from).len(rows).build().unwrap();
        let status =
            write(&World::new(), FFI_ArrowArray::new(&data), FFI_ArrowSchema::try_from(data.data_type()).unwrap());
        assert_eq!(status, if taken { Status::OK } else { Status::PAYLOAD }, "{rows} from {from}");
    }
}

#[test]
fn an_array_that_is_no_batch_is_refused() {
    if plugin().is_none() {
        return;
    }
    let data = StringArray::from(vec!["added"]).into_data();
    let schema = FFI_ArrowSchema::try_from(&DataType::Utf8).unwrap();
    assert_eq!(write(&World::new(), FFI_ArrowArray::new(&data), schema), Status::PAYLOAD);
}

#[test]
fn texts_that_run_backwards_are_refused() {
    if plugin().is_none() {
        return;
    }
    let batch = batch_of(&rows(0..2));
    for offsets in [[0_i32, 12, 5], [-1, 12, 24], [12, 0, 24]] {
        let changes = batch.column(0).to_data().into_builder();
        let values = batch.column(0).to_data().buffers()[1].clone();
        let bytes: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        let changes = changes.buffers(vec![bytes.into(), values]);
        // SAFETY: what is wrong about the data is the point, and only the plugin reads it.
        let keys = unsafe { changes.build_unchecked() };
        let columns = vec![keys, batch.column(1).to_data(), batch.column(2).to_data()];
        let whole = StructArray::from(batch.clone()).into_data().into_builder().child_data(columns);
        // SAFETY: as above.
        let data = unsafe { whole.build_unchecked() };
        let schema = FFI_ArrowSchema::try_from(data.data_type()).unwrap();
        assert_eq!(write(&World::new(), FFI_ArrowArray::new(&data), schema), Status::PAYLOAD);
    }
}
