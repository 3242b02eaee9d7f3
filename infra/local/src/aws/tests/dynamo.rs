//! DynamoDB: reasons, units with and without the client asking, the index, injected conflicts.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    ConditionCheck, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem,
};

use super::{World, text};
use crate::aws::{Fault, Service, Tally};

fn put(table: &str, pk: &str, condition: Option<&str>) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(table)
        .item("pk", text(pk))
        .item("sk", text("x"));
    let put = put
        .set_condition_expression(condition.map(str::to_owned))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    TransactWriteItem::builder()
        .put(put.build().unwrap())
        .build()
}

#[tokio::test]
async fn a_cancelled_transaction_names_its_reasons_and_writes_nothing() {
    let world = World::new();
    let (usage, ledger) = (world.name("usage"), world.name("ledger"));
    world.put("ledger", "a", "x").await;
    let error = world
        .dynamo()
        .transact_write_items()
        .transact_items(put(&usage, "b", None))
        .transact_items(put(&ledger, "a", Some("attribute_not_exists(pk)")))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        error,
    ) = error
    else {
        panic!("not cancelled");
    };
    let codes: Vec<_> = error
        .cancellation_reasons()
        .iter()
        .map(|reason| reason.code().unwrap())
        .collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert_eq!(
        error.cancellation_reasons()[1].item().unwrap()["pk"],
        text("a")
    );
    let got = world
        .dynamo()
        .get_item()
        .table_name(&usage)
        .key("pk", text("b"))
        .key("sk", text("x"));
    assert!(got.send().await.unwrap().item.is_none());
    let spent = world
        .aws
        .counters()
        .total(|key| key.operation == "TransactWriteItems");
    assert_eq!(
        spent,
        Tally {
            calls: 1,
            errors: 1,
            read_halves: 0,
            write_halves: 4
        }
    );
}

#[tokio::test]
async fn units_are_counted_whether_or_not_the_client_asks() {
    let world = World::new();
    let dynamo = world.dynamo();
    let answer = dynamo
        .put_item()
        .table_name(world.name("usage"))
        .item("pk", text("a"))
        .item("sk", text(&"x".repeat(1000)));
    let answer = answer
        .item("big", text(&"y".repeat(1500)))
        .send()
        .await
        .unwrap();
    assert!(answer.consumed_capacity.is_none());
    let query = || {
        let query = dynamo
            .query()
            .table_name(world.name("usage"))
            .key_condition_expression("pk = :pk");
        query.expression_attribute_values(":pk", text("a"))
    };
    let total = query()
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await
        .unwrap();
    let total = total.consumed_capacity.unwrap();
    assert_eq!(total.capacity_units.unwrap().to_string(), "0.5");
    assert!(total.table.is_none());
    query().consistent_read(true).send().await.unwrap();
    let counters = world.aws.counters();
    let usage = world.name("usage");
    let of =
        |operation: &str| counters.total(|key| key.operation == operation && key.resource == usage);
    assert_eq!(
        of("PutItem"),
        Tally {
            calls: 1,
            errors: 0,
            read_halves: 0,
            write_halves: 6
        }
    );
    assert_eq!(
        of("Query"),
        Tally {
            calls: 2,
            errors: 0,
            read_halves: 3,
            write_halves: 0
        }
    );
    assert!(
        counters
            .rows()
            .all(|(key, _)| key.caller == "tollgate-test" && key.service == Service::DynamoDb)
    );
}

#[tokio::test]
async fn a_failed_condition_costs_the_item_that_it_met() {
    let world = World::new();
    let dynamo = world.dynamo();
    let put = || {
        let put = dynamo
            .put_item()
            .table_name(world.name("audit"))
            .item("pk", text("a"))
            .item("sk", text("b"));
        put.item("big", text(&"y".repeat(1500)))
            .condition_expression("attribute_not_exists(pk)")
    };
    put().send().await.unwrap();
    let before = world.aws.counters();
    let error = put().send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(error) =
        error
    else {
        panic!("not a failed condition");
    };
    assert!(error.item().is_none());
    let missing = dynamo
        .update_item()
        .table_name(world.name("audit"))
        .key("pk", text("none"))
        .key("sk", text("b"));
    let missing = missing
        .update_expression("SET n = :n")
        .expression_attribute_values(":n", text("n"));
    missing
        .condition_expression("attribute_exists(pk)")
        .send()
        .await
        .unwrap_err();
    let spent = world.aws.counters().since(&before);
    assert_eq!(
        spent.total(|key| key.operation == "PutItem").write_halves,
        4
    );
    assert_eq!(
        spent
            .total(|key| key.operation == "UpdateItem")
            .write_halves,
        2
    );
}

#[tokio::test]
async fn a_transaction_costs_double_and_its_repeated_token_only_reads() {
    let world = World::new();
    let usage = world.name("usage");
    let before = world.aws.counters();
    for _ in 0..2 {
        let check = ConditionCheck::builder()
            .table_name(world.name("ledger"))
            .key("pk", text("z"))
            .key("sk", text("z"));
        let check = check
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .unwrap();
        let call = world
            .dynamo()
            .transact_write_items()
            .client_request_token("same");
        let call = call.transact_items(put(&usage, "a", Some("attribute_not_exists(pk)")));
        call.transact_items(TransactWriteItem::builder().condition_check(check).build())
            .send()
            .await
            .unwrap();
    }
    let spent = world.aws.counters().since(&before).total(|_| true);
    assert_eq!((spent.calls, spent.write_halves), (2, 8));
    assert!(spent.read_halves > 0);
}

#[tokio::test]
async fn the_status_index_pages_by_tenant() {
    let world = World::new();
    let dynamo = world.dynamo();
    for n in 0..5 {
        let put = dynamo
            .put_item()
            .table_name(world.name("tenants"))
            .item("pk", text(&format!("T#{n}")));
        let put = put
            .item("sk", text("META"))
            .item("ls", text("active#2026"))
            .item("lk", text(&n.to_string()));
        put.item("name", text("n"))
            .item("hidden", text("h"))
            .send()
            .await
            .unwrap();
    }
    assert_eq!(
        world.aws.counters().total(|_| true).write_halves,
        20,
        "an insert costs the table and the index"
    );
    let query = dynamo
        .query()
        .table_name(world.name("tenants"))
        .index_name("by_status")
        .limit(2);
    let query = query
        .key_condition_expression("ls = :s AND lk > :k")
        .expression_attribute_values(":k", text("1"));
    let page = query
        .expression_attribute_values(":s", text("active#2026"))
        .send()
        .await
        .unwrap();
    assert_eq!(page.count, 2);
    assert!(page.last_evaluated_key().is_some());
    assert!(page.items()[0].contains_key("name") && !page.items()[0].contains_key("hidden"));
}

#[tokio::test]
async fn a_conflict_is_injected_in_both_shapes() {
    let world = World::new();
    world
        .aws
        .set_fault_hook(Some(std::sync::Arc::new(|_| Fault::TransactionConflict)));
    let error = world
        .dynamo()
        .transact_write_items()
        .transact_items(put(&world.name("usage"), "a", None))
        .send()
        .await;
    let error = error.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("TransactionCanceledException"));
    assert!(
        error.to_string().contains("TransactionConflict")
            || format!("{error:?}").contains("TransactionConflict")
    );
    let put = world
        .dynamo()
        .put_item()
        .table_name(world.name("usage"))
        .item("pk", text("a"))
        .item("sk", text("a"));
    let error = put.send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("TransactionConflictException"));
}

#[tokio::test]
async fn duplicate_items_and_missing_tables_are_refused() {
    let world = World::new();
    let usage = world.name("usage");
    let twice = world
        .dynamo()
        .transact_write_items()
        .transact_items(put(&usage, "a", None));
    let error = twice
        .transact_items(put(&usage, "a", None))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(error.code(), Some("ValidationException"));
    let none = world
        .dynamo()
        .get_item()
        .table_name("tollgate-test-none")
        .key("pk", text("a"))
        .key("sk", text("a"));
    let error = none.send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
}
