package dl4jbridge;

import dl4jbridge.fused.Cells;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Runs the tests that a class inherits with the networks of another cell. JUnit 5.11 has parameterized methods but no
 * parameterized classes.
 */
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(WithCell.Switch.class)
public @interface WithCell {
    /** Name of one of {@link Cells#ALL}. */
    String value();

    final class Switch implements BeforeAllCallback, AfterAllCallback {
        @Override
        public void beforeAll(ExtensionContext context) {
            Fixtures.cell = Cells.named(context.getRequiredTestClass().getAnnotation(WithCell.class).value());
        }

        @Override
        public void afterAll(ExtensionContext context) {
            Fixtures.cell = Cells.named("graves");
        }
    }
}
